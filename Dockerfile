# The course in a container:
#   docker build --tag glmm-course . && docker run --rm --publish 127.0.0.1:8888:8888 \
#       --volume my-course:/home/learner/course/my-course glmm-course
# The volume keeps the learner's copies of the lessons from one run to the next.
FROM python:3.12-slim
RUN useradd --create-home learner
WORKDIR /home/learner/course
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY --chown=learner . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && mkdir -p /usr/local/share/jupyter/lab/settings \
    && cp tools/jupyterlab-overrides.json /usr/local/share/jupyter/lab/settings/overrides.json \
    && mkdir my-course && chown learner . my-course
USER learner
EXPOSE 8888
CMD python -m tools.my_course && exec jupyter lab --ip=0.0.0.0 --no-browser \
    --LabApp.default_url=/lab/tree/my-course/00-start-here.ipynb
