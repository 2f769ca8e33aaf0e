use std::io::Cursor;

use super::*;

fn init(args: InitArgs) -> anyhow::Result<ExitCode> {
    run(InitArgs { yes: true, ..args })
}

#[test]
fn whatever_is_chosen_the_file_passes_the_check() {
    for provider in ProviderChoice::value_variants() {
        for docs in [vec![], vec!["./docs".to_owned(), "a \"b\".md".to_owned()]] {
            let args = InitArgs {
                name: Some("Ümläut \"quoted\" \\ name".to_owned()),
                provider: Some(*provider),
                docs: docs.clone(),
                ..InitArgs::default()
            };
            let text = write_spec(&defaults(&args));
            let checked =
                check_text(&text, Path::new(FILE_NAME)).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
            assert_eq!(checked.product.name, "Ümläut \"quoted\" \\ name");
            let documents: Vec<PathBuf> = docs.iter().map(PathBuf::from).collect();
            assert_eq!(checked.corpora[checked.default_corpus()].documents, documents);
            let (_, assistant) = checked.assistants.first_key_value().unwrap();
            assert_eq!(assistant.models[0].model, provider.default_model());
        }
    }
}

#[test]
fn a_model_may_be_given_with_or_without_its_provider() {
    for model in ["gpt-4o", "openai/gpt-4o"] {
        let args = InitArgs {
            provider: Some(ProviderChoice::Openai),
            model: Some(model.to_owned()),
            ..InitArgs::default()
        };
        assert!(write_spec(&defaults(&args)).contains("model = \"openai/gpt-4o\""));
    }
}

#[test]
fn a_file_that_exists_is_overwritten_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("mainstay.toml");
    std::fs::write(&output, "mine").unwrap();
    let refused = init(InitArgs { output: output.clone(), ..InitArgs::default() }).unwrap_err();
    assert!(refused.is::<BadInput>() && refused.to_string().contains("--force"), "{refused}");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "mine");
    init(InitArgs { output: output.clone(), force: true, ..InitArgs::default() }).unwrap();
    assert!(std::fs::read_to_string(&output).unwrap().contains("[product]"));
}

#[test]
fn a_flag_with_a_bad_value_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("mainstay.toml");
    let args = InitArgs {
        output: output.clone(),
        provider: Some(ProviderChoice::OpenaiCompatible),
        base_url: Some("localhost".to_owned()),
        ..InitArgs::default()
    };
    let error = init(args).unwrap_err().to_string();
    assert!(error.contains("providers.local.base_url"), "{error}");
    assert!(!output.exists());
}

#[test]
fn questions_are_asked_until_the_answer_is_understood() {
    let mut input = Cursor::new(
        "Acme\neveryone\nconsumer\nollama\nopenai-compatible\nhttp://gpu:8000/v1\nqwen3\n./docs\n",
    );
    let answers = ask(&InitArgs::default(), &mut input).unwrap();
    assert_eq!((answers.name.as_str(), answers.audience), ("Acme", Audience::Consumer));
    assert_eq!((answers.provider, answers.model.as_str()), (ProviderChoice::OpenaiCompatible, "qwen3"));
    assert_eq!((answers.base_url.as_str(), answers.docs), ("http://gpu:8000/v1", vec!["./docs".to_owned()]));

    let mut only_enter = Cursor::new("\n\n\n\n");
    let answers = ask(&InitArgs::default(), &mut only_enter).unwrap();
    assert_eq!((answers.name.as_str(), answers.provider), (DEFAULT_NAME, ProviderChoice::Builtin));
    assert!(ask(&InitArgs::default(), &mut Cursor::new("Acme\n")).is_err());
}
