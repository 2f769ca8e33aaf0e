use std::fs;

use super::*;

fn folder(qrels: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("corpus.jsonl", "{\"doc_id\":\"a\",\"text\":\"x\"}\n\n{\"_id\":\"b\",\"text\":\"y\"}\n");
    write(
        "queries.jsonl",
        "{\"query_id\":\"q1\",\"text\":\"one?\",\"language\":\"en\"}\n{\"_id\":\"q2\",\"text\":\"two?\"}\n",
    );
    write("qrels.tsv", qrels);
    folder
}

#[test]
fn judgements_are_read_in_every_shape() {
    for qrels in [
        "query_id\tdoc_id\trelevance\nq1\ta\t2\nq1\tb\t0\n",
        "q1\ta\t2\nq1\tb\t-1\n",
        "q1 0 a 2\nq1 0 b 0\n",
        "q1\ta\t2.0\n\nq1\tb\t0\n",
    ] {
        let set = DataSet::read(folder(qrels).path()).unwrap();
        assert_eq!((set.judgements["q1"]["a"], set.judgements["q1"]["b"]), (2, 0), "{qrels}");
        let ids: Vec<&str> = set.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!(set.oddities.len(), 1, "{:?}", set.oddities);
        assert_eq!(ids, ["q1"], "a question without a relevant document cannot be scored");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (qrels, told) in [
        ("q1\ta\n", "line 1: three fields are expected"),
        ("q1\ta\t1\nq2\tb\tmuch\n", "line 2: the relevance \"much\" is no number"),
        ("q1\tgone\t1\n", "qrels.tsv, line 1: judges the document \"gone\", which is not in the corpus; its"),
        (
            "q1\ta\t1\nq2\tgone\t1\nq2\tlost\t1\n",
            "line 2: judges the document \"gone\", which is not in the corpus (one more",
        ),
        ("q1\ta\t1\nq1\ta\t2\n", "line 2: \"a\" is judged 2 for \"q1\", and 1 on line 1"),
        ("query_id\tdoc_id\trelevance\n", "qrels.tsv is empty"),
        ("q9\ta\t1\n", "no question with a relevant document"),
    ] {
        let error = DataSet::read(folder(qrels).path()).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let error = DataSet::read(empty.path()).unwrap_err();
    assert!(error.to_string().contains("qrels.tsv cannot be read"), "{error}");
}

#[test]
fn questions_are_taken_from_all_over_the_set() {
    let question = |number: usize| Question {
        id: number.to_string(),
        text: String::new(),
        language: String::new(),
        type_name: String::new(),
    };
    let set = |count| DataSet {
        name: String::new(),
        corpus: PathBuf::new(),
        questions: (0..count).map(question).collect(),
        judgements: HashMap::new(),
        oddities: Vec::new(),
    };
    let sampled = |count, most| -> Vec<String> {
        set(count).sample(most).into_iter().map(|question| question.id.clone()).collect()
    };
    assert_eq!(sampled(10, 4), ["0", "2", "5", "7"]);
    assert_eq!(sampled(3, 10), ["0", "1", "2"]);
    assert!(sampled(0, 10).is_empty());
}

/// What reading says of a set in which one file has this text.
#[track_caller]
fn told(file: &str, text: &[u8]) -> String {
    let folder = folder("q1\ta\t1\n");
    fs::write(folder.path().join(file), text).unwrap();
    DataSet::read(folder.path()).unwrap_err().to_string()
}

#[test]
fn documents_and_questions_that_cannot_be_used_are_named_with_their_line() {
    for (file, text, expected) in [
        ("corpus.jsonl", "", "corpus.jsonl is empty"),
        ("queries.jsonl", "\n\n", "queries.jsonl is empty"),
        ("corpus.jsonl", "{\"doc_id\":\"a\"}\n{\"doc_id\":\n", "corpus.jsonl, line 2: EOF while parsing"),
        ("queries.jsonl", "{\"query_id\":\"q1\"}\n", "queries.jsonl, line 1: missing field `text` at column"),
        ("queries.jsonl", "{\"query_id\":\"q1\",\"text\":\" \"}\n", "line 1: the question has no text"),
        (
            "queries.jsonl",
            "{\"_id\":\"q1\",\"text\":\"a\"}\n{\"_id\":\"q1\",\"text\":\"b\"}\n",
            "line 2: the id \"q1\" is that of another question already, on line 1",
        ),
    ] {
        let told = told(file, text.as_bytes());
        assert!(told.contains(expected), "{told}");
    }
    let told = told("queries.jsonl", b"{\"_id\":\"q1\",\"text\":\"a\"}\n\xff\n");
    assert!(told.contains("line 2: the text is not UTF-8"), "{told}");
}

#[test]
fn what_is_odd_is_told_and_measured_all_the_same() {
    let folder = folder("q1\ta\t1\nq1\ta\t1\nq9\ta\t1\nq9\tb\t1\n");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("corpus.jsonl", "{\"doc_id\":\"a\"}\n{\"doc_id\":\"b\"}\n{\"doc_id\":\"a\"}\n");
    let line = "{\"_id\":\"q1\",\"text\":\"one?\"}\n";
    write("queries.jsonl", &line.repeat(3));
    let set = DataSet::read(folder.path()).unwrap();
    assert_eq!(set.questions.len(), 1);
    let expected = [
        "corpus.jsonl, line 3: the document \"a\" is there already; the last one holds",
        "queries.jsonl, line 2: the question \"q1\" is there already (1 more lines repeat one); it is asked once",
        "qrels.tsv, line 3: judges for the question \"q9\", which is not in queries.jsonl; 2 such lines",
    ];
    assert_eq!(set.oddities.len(), expected.len(), "{:?}", set.oddities);
    for (oddity, expected) in set.oddities.iter().zip(expected) {
        assert!(oddity.contains(expected), "{oddity}");
    }
}

#[test]
fn the_type_of_a_question_is_its_field_or_the_word_before_its_id() {
    let folder = folder("desc:x\ta\t1\nb:1\ta\t1\n12:34\ta\t1\n");
    let lines = [
        "{\"_id\":\"desc:x\",\"text\":\"one?\"}",
        "{\"_id\":\"b:1\",\"text\":\"two?\",\"type\":\"how-to\"}",
        "{\"_id\":\"12:34\",\"text\":\"three?\"}",
    ];
    fs::write(folder.path().join("queries.jsonl"), lines.join("\n")).unwrap();
    let set = DataSet::read(folder.path()).unwrap();
    let types: Vec<&str> = set.questions.iter().map(|question| question.type_name.as_str()).collect();
    assert_eq!(types, ["desc", "how-to", ""]);
}

#[test]
fn answers_are_read_where_there_are_some() {
    let folder = folder("q1\ta\t1\n");
    let set = DataSet::read(folder.path()).unwrap();
    let error = set.answers().unwrap_err().to_string();
    assert!(error.contains("golden.jsonl does not exist"), "{error}");
    let golden = "{\"query_id\":\"q1\",\"answers\":[\"two years\",\"2 years\"]}\n{\"query_id\":\"q2\",\"answers\":[]}\n";
    fs::write(folder.path().join("golden.jsonl"), golden).unwrap();
    let answers = set.answers().unwrap();
    assert_eq!((answers.len(), answers["q1"].len()), (1, 2));
}
