use super::*;

/// A command that wraps by putting a mark before what it gets.
const HONEST: &str = r#"
case "$1" in
    wrap) { printf 'kms:'; cat; } | base64 ;;
    unwrap) base64 -d | sed 's/^kms://' ;;
    *) exit 64 ;;
esac"#;

/// The script as a command. It is an argument of the shell, so that nothing has to be written to be executed.
fn command(script: &str) -> CommandKms {
    let args = vec!["-c".to_owned(), script.to_owned(), "kms".to_owned()];
    CommandKms::new(MasterKeyId::new("test"), "/bin/sh", args, Clock::system())
}

const PAYLOAD: &[u8] = &[0xa5; 48];

async fn failure(script: &str) -> CommandError {
    let error = command(script).unwrap(PAYLOAD).await.expect_err("fails");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&STANDARD.encode(PAYLOAD)[..16]), "key material in {shown}");
    assert!(shown.len() < 2_000, "{} bytes", shown.len());
    error
}

#[tokio::test]
async fn what_a_command_wraps_it_unwraps() {
    let command = command(HONEST);
    let wrapped = command.wrap(PAYLOAD).await.expect("wraps");
    assert!(wrapped.starts_with(b"kms:"));
    assert_eq!(*command.unwrap(&wrapped).await.expect("unwraps"), PAYLOAD);
}

#[tokio::test]
async fn more_calls_than_turns_all_come_to_their_end() {
    let command = command(HONEST);
    let calls = (0..2 * AT_ONCE + 1).map(|_| command.wrap(PAYLOAD));
    let wrapped = futures_util::future::join_all(calls).await;
    assert!(wrapped.iter().all(Result::is_ok), "{wrapped:?}");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_ended_at_the_limit() {
    let clock = Clock::system();
    let start = clock.instant();
    let error = failure("exec sleep 600").await;
    assert!(matches!(error, CommandError::TimedOut { limit: TIME_LIMIT, .. }), "{error}");
    // Time is tokio's, and paused: it moved exactly to the limit.
    assert_eq!(clock.instant() - start, TIME_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_child_of_the_command_that_keeps_its_output_open_does_not_extend_the_limit() {
    let error = failure("sleep 2 & printf QUJD").await;
    assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn a_command_that_fails_tells_its_status_and_one_line_of_what_it_said() {
    let error =
        failure("cat >/dev/null; printf 'access\\tdenied:\\n\\033[31mno \\342\\200\\256key\\n' >&2; exit 3")
            .await;
    let message = error.to_string();
    assert!(message.contains("exit status: 3"), "{message}");
    assert!(message.ends_with("it said: access denied: ?[31mno ?key"), "{message}");
}

#[tokio::test]
async fn a_key_in_the_error_output_is_withheld() {
    let error = failure("read -r key; echo \"cannot unwrap $key, sorry\" >&2; echo \"$key\"; exit 1").await;
    assert!(error.to_string().ends_with("it said: cannot unwrap [withheld], sorry"), "{error}");
}

#[tokio::test]
async fn a_chatty_command_does_not_hang_and_is_quoted_shortly() {
    let error = failure("yes 'so much to say' | head -c 1000000 >&2; exit 1").await;
    let CommandError::Failed { excerpt, .. } = &error else { panic!("{error}") };
    assert_eq!(excerpt.chars().count(), EXCERPT_CHARACTERS + 1);
    assert!(excerpt.ends_with('…'));

    // The shell writes this itself, and would be ended by writing into a pipe that nobody holds any more.
    let talk =
        "i=0; while [ $i -lt 3000 ]; do echo 'so much to say, and so much more to say' >&2; i=$((i+1)); done";
    let chatty = format!("{talk}\n{HONEST}");
    assert!(command(&chatty).wrap(PAYLOAD).await.is_ok(), "what succeeds may say as much as it likes");
}

#[tokio::test]
async fn an_answer_that_is_not_base64_is_refused() {
    for script in [
        "cat >/dev/null; printf '\\377\\000\\001binary'",
        "cat >/dev/null",
        "echo 'QUJD QUJ!'",
        "printf '\\n\\n'",
    ] {
        let error = failure(script).await;
        assert!(matches!(error, CommandError::NoAnswer { .. }), "{script}: {error}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let error = failure("exec cat /dev/zero").await;
    assert!(matches!(error, CommandError::TooMuch { .. }), "{error}");
    // Not too long to be read, but too long to be stored.
    let length = MasterKey::MAX_WRAPPED_BYTES + 3;
    let error = command(&format!("head -c {length} /dev/zero | base64")).wrap(PAYLOAD).await;
    assert!(matches!(error, Err(CommandError::TooMuch { .. })), "{error:?}");
}

#[tokio::test]
async fn a_command_that_does_not_read_what_it_gets_may_still_answer() {
    let large = vec![1; MasterKey::MAX_WRAPPED_BYTES];
    let answer = command("exec <&-; echo QUJD").unwrap(&large).await.expect("an answer");
    assert_eq!(*answer, b"ABC");
}

#[tokio::test]
async fn a_command_that_does_not_exist_or_is_killed_says_so() {
    let missing = CommandKms::new(MasterKeyId::new("test"), "/none/such", Vec::new(), Clock::system());
    let error = missing.wrap(PAYLOAD).await.expect_err("no such command");
    assert!(matches!(&error, CommandError::NotStarted { .. }), "{error}");
    assert_eq!(error.program(), Path::new("/none/such"));
    let killed = failure("kill -9 $$").await.to_string();
    assert!(killed.contains("signal: 9"), "{killed}");
}

#[test]
fn arguments_do_not_show_in_debug_output() {
    let debug = format!("{:?}", command("--token hunter2"));
    assert!(debug.contains("/bin/sh") && !debug.contains("hunter2"), "{debug}");
}
