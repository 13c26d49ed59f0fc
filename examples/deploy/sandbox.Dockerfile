# A sandbox of CycleSoftware for clients in any language; the username is "user" and the password is "pass".
# In the root of the repository:
#
#   docker build -f examples/deploy/sandbox.Dockerfile -t cyclesoft-sandbox .
#   docker run --rm -p 127.0.0.1:8000:8000 cyclesoft-sandbox
FROM python:3.13-slim
COPY . /src
RUN pip install --no-cache-dir '/src[cli]' && useradd cyclesoft
USER cyclesoft
EXPOSE 8000
# Python as process 1 does not end on SIGTERM.
STOPSIGNAL SIGINT
CMD ["cyclesoft", "sandbox", "--host", "0.0.0.0", "--port", "8000"]
