/// A count and its noun, or the phrase that follows it: `counted(1, "image", "images")` is `1 image`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
