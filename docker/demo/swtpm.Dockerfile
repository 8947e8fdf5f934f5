# A software TPM and what the demo's application needs: for demonstrations only.
FROM docker.io/library/debian:12-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends swtpm python3 curl ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10002 --create-home demo && install -d -o demo /tpm
USER 10002
VOLUME /tpm
CMD ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=/tpm", "--flags", "startup-clear,not-need-init", \
     "--server", "type=tcp,port=2321,bindaddr=0.0.0.0", "--ctrl", "type=tcp,port=2322,bindaddr=0.0.0.0"]
