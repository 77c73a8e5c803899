# bastzoo on a CPU: `docker build -t bastzoo .`, then
#   docker run --rm -v "$PWD":/work bastzoo predict recording.wav
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE NOTICE ./
COPY bastzoo ./bastzoo
# A wheel first, so that the image has no compiler, no sources and no cache.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
COPY constraints.txt /tmp/constraints.txt
# torch's builds without CUDA are a few GB smaller: --build-arg PIP_EXTRA_INDEX_URL=the index that torch names.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(ls /wheels/*.whl)[plot]" \
    && rm -r /wheels /tmp/constraints.txt \
    && useradd --create-home --uid 1000 bastzoo \
    && mkdir /work && chown bastzoo /work
USER bastzoo
# numba keeps compiled kernels here; one that the user may write.
ENV NUMBA_CACHE_DIR=/home/bastzoo/.cache/numba
WORKDIR /work
ENTRYPOINT ["bastzoo"]
CMD ["--help"]
