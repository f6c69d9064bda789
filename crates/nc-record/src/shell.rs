/// Quotes `text` as one word of a POSIX shell.
///
/// ```
/// assert_eq!(nc_record::shell_word("it's mine"), r"'it'\''s mine'");
/// assert_eq!(nc_record::shell_word("results/quick"), "results/quick");
/// ```
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
