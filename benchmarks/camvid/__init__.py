"""The paper's comparisons in miniature: trains and scores the small nets of prototxt/camvid, several seeds each.

    python -m benchmarks.camvid run --root CAMVID --out RUNS [--jobs 2] [--threads 1] [--rows base step] [--seeds 1 2 3]
    python -m benchmarks.camvid record --out RUNS
    python -m benchmarks.camvid ship --out RUNS

CAMVID holds train.txt, val.txt and test.txt, whose lines name an image and its label map (by default data/camvid in
$PYDEEPLAB_DATA, or in the folder "shared" beside the checkout). Everything is done by `pydeeplab train` and `pydeeplab
eval`, and what is finished is not done again: stop it whenever you like, and run it again to go on. `record` writes
benchmarks/results/camvid.json, the charts docs/pictures/camvid_*.svg, and the tables in docs/camvid.md; `ship`
makes weights/camvid-small.* of the row "long".
"""
