# Pentimento in a container: slim, CPU wheels unless told otherwise, not root, fit for a read-only root.
#
#   docker build -t pentimento .                                                 CPU
#   docker build -t pentimento --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu128 .    NVIDIA
#   docker run -p 7860:7860 --read-only --tmpfs /tmp -v pentimento:/data pentimento
FROM python:3.12-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    HF_HOME=/data/huggingface \
    GRADIO_TEMP_DIR=/tmp/pentimento

RUN useradd --create-home --uid 1000 painter && mkdir /data && chown painter /data
WORKDIR /home/painter/app

# torch first, from the index for this hardware. The layer of packages is kept when only the app changes.
COPY requirements.txt ./
RUN grep -E '^torch' requirements.txt > torch.txt \
 && pip install -r torch.txt --index-url "$TORCH_INDEX" \
 && pip install -r requirements.txt

COPY --chown=painter:painter . .
USER painter
VOLUME /data
EXPOSE 7860

HEALTHCHECK --interval=30s --timeout=5s --start-period=40s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/', timeout=4)"]

# SIGTERM, which `docker stop` sends, ends the app as Ctrl-C does: app.py sees to it.
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
