"""The words of the report page, in English and Chinese."""

from recsys.comparison import Verdict

# English and Chinese, as headings and plots say them.
WORDS = {
    "report": ("How good the lists are", "列表质量报告"),
    "verdicts": ("Verdicts", "结论"),
    "hits": ("Hits", "命中"),
    "lists": ("What the lists are like", "列表特征"),
    "by_k": ("by length of list", "随列表长度"),
    "by_history": ("by events before", "按历史行为数"),
    "popularity": ("Popularity: shown and taken", "流行度：展示与实际"),
    "spread": ("Coverage and Gini", "覆盖率与基尼系数"),
    "commerce": ("Share of products by place", "各位置商品占比"),
    "ablation": ("What each source adds", "各来源的贡献"),
    "difference": ("Difference", "差异"),
    "served": ("Served against dense, share of the best found", "线上候选与全量打分的一致率"),
    "glossary": ("What the words mean", "指标说明"),
}
VERDICT_WORDS = {Verdict.BETTER: "更好", Verdict.WORSE: "更差", Verdict.UNSURE: "无法判断"}
# What each metric is; where it comes from is said in the docstring of its function.
GLOSSARY = {
    "recall": ("share of what a person did that is in the list", "列表覆盖了此人后来行为的多少"),
    "ndcg": (
        "the same, but earlier places count more (Järvelin, Kekäläinen 2002); verdicts use it",
        "越靠前的命中权重越大，结论以它为准",
    ),
    "hit_rate": ("share of persons with a hit", "至少命中一个的人的比例"),
    "map": ("precision at each hit, averaged over what the person did", "平均准确率"),
    "mrr": ("1 over the rank of the first hit", "首个命中名次的倒数"),
    "coverage": ("share of what could be shown that anybody was shown", "被展示过的商品占比"),
    "Gini": (
        "how unevenly places go to items, 0 evenly, 1 all to one (Castells et al. 2015)",
        "曝光集中程度",
    ),
    "novelty": ("−log2 of the share of persons who had the item (Zhou et al. 2010)", "新颖度"),
    "diversity": (
        "1 − mean overlap of tags and category of two items of a list (Ziegler et al. 2005)",
        "列表内多样性",
    ),
    "categories, creators": ("how many different ones are in a list", "列表内不同类目、作者数"),
    "popularity": ("mean percentile among the items of a kind by persons who had it", "流行度分位"),
    "popularity lift": (
        "that of the list minus that of what the person did (after Abdollahpouri et al. 2019)",
        "展示比实际行为更偏热门的程度",
    ),
    "new items": ("items that nobody had before: their share, recall and hits", "冷启动商品"),
    "products": ("share of products in a mixed list", "混合列表中的商品占比"),
    "not personal": ("share of lists that nothing the person did spoke for", "非个性化列表占比"),
}
