"""The bench: our relay and kernel plane beside other go-betweens, on the machine it runs on.

__main__   the command line: ./dev bench
isolate    a namespace for everything, so that nothing outlives a run, however it ends
netns      network namespaces and the two topologies
processes  start, end, and the processor time and memory of a tree of processes
peers/     one file for each go-between: how it is found, configured and started
loads/     one file for each kind of load: what is done and what is read off
bed        one peer in one topology, between a consumer and a service
plan       what is measured in which order (pure)
runner     does it, shows progress, keeps samples
samples    the samples of a run, on disk after each measurement
figures    samples to spreads and ratios (pure)
goals      the figures to reach (pure); summary: with what a run says of them, as rows
document   figures to Markdown; charts: figures to SVG (pure)
compare    two runs side by side (pure)
machine    what the figures were taken on
"""
