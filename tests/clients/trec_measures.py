"""Scores a TREC run with `ir-measures` from PyPI and prints every measure, over all queries and of each, as JSON.

    trec_measures.py QRELS RUN
"""

import json
import sys

import ir_measures
from ir_measures import RR, R, nDCG

MEASURES = {
    "recall@1": R @ 1,
    "recall@3": R @ 3,
    "recall@5": R @ 5,
    "recall@10": R @ 10,
    "recall@100": R @ 100,
    "mrr": RR,
    "ndcg@10": nDCG @ 10,
}


def main() -> None:
    qrels = list(ir_measures.read_trec_qrels(sys.argv[1]))
    run = list(ir_measures.read_trec_run(sys.argv[2]))
    names = {str(measure): name for name, measure in MEASURES.items()}
    by_query: dict[str, dict[str, float]] = {}
    measures = list(MEASURES.values())
    for metric in ir_measures.iter_calc(measures, qrels, run):
        by_query.setdefault(metric.query_id, {})[names[str(metric.measure)]] = metric.value
    aggregated = ir_measures.calc_aggregate(measures, qrels, run)
    every = {names[str(measure)]: value for measure, value in aggregated.items()}
    json.dump({"measures": every, "by_query": by_query}, sys.stdout)


if __name__ == "__main__":
    main()
