# The course in a container:
#   docker build --tag glmm-course . && docker run --rm --publish 127.0.0.1:8888:8888 glmm-course
FROM python:3.12-slim
RUN useradd --create-home learner
WORKDIR /home/learner/course
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock
COPY --chown=learner . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && mkdir -p /usr/local/share/jupyter/lab/settings \
    && cp tools/jupyterlab-overrides.json /usr/local/share/jupyter/lab/settings/overrides.json \
    && chown learner .
USER learner
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", \
     "--LabApp.default_url=/lab/tree/notebooks/00-start-here.ipynb"]
