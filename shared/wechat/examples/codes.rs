//! Prints the page of WeChat's return codes: `docs/reference/wechat-codes.md`.

fn main() {
    print!("{}", paihao_wechat::codes::markdown_page());
}
