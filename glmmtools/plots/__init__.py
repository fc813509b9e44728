"""Pictures of distributions, designs and fitted models: given no axes, draw; return the axes."""
