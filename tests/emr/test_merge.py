"""Overrides merge deeply; configurations merge by classification."""

from emr.request.merge import deep_merge, merge_configurations


def test_mappings_merge_at_every_depth_and_lists_are_replaced():
    base = {"a": {"b": 1, "c": {"d": 2}}, "list": [1, 2], "kept": True}
    over = {"a": {"c": {"e": 3}}, "list": [9]}
    expected = {"a": {"b": 1, "c": {"d": 2, "e": 3}}, "list": [9], "kept": True}
    assert expected == deep_merge(base, over)


def test_a_null_takes_a_key_away():
    assert {"a": {}} == deep_merge({"a": {"b": 1}, "c": 2}, {"a": {"b": None}, "c": None})


def test_a_mapping_replaces_what_is_none():
    assert {"a": {"b": 1}} == deep_merge({"a": "text"}, {"a": {"b": 1, "gone": None}})


def test_neither_side_is_changed():
    base, over = {"a": {"b": 1}}, {"a": {"c": 2}}
    deep_merge(base, over)
    assert ({"a": {"b": 1}}, {"a": {"c": 2}}) == (base, over)


def test_configurations_of_one_classification_become_one_and_later_ones_win():
    generated = [
        {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "1"}},
        {"Classification": "yarn-site", "Properties": {"y": "1"}},
    ]
    own = [
        {"Classification": "spark-defaults", "Properties": {"b": 2}},
        {"Classification": "core-site", "Properties": {"c": "1"}},
    ]
    expected = [
        {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "2"}},
        {"Classification": "yarn-site", "Properties": {"y": "1"}},
        {"Classification": "core-site", "Properties": {"c": "1"}},
    ]
    assert expected == merge_configurations(generated, own)


def test_nested_configurations_merge_by_classification_too():
    def env(**variables):
        inner = [{"Classification": "export", "Properties": variables}]
        return [{"Classification": "spark-env", "Configurations": inner}]

    merged = merge_configurations(env(A="1", B="1"), env(B="2"))
    expected = [{"Classification": "export", "Properties": {"A": "1", "B": "2"}}]
    assert expected == merged[0]["Configurations"]


def test_a_property_that_yaml_reads_as_true_is_true_again():
    given = [{"Classification": "core-site", "Properties": {"a": True, "b": 3}}]
    assert {"a": "true", "b": "3"} == merge_configurations(given)[0]["Properties"]
