//! The APIs of WeChat in use: their paths at WeChat, and their names in metrics and limits.

/// An API of WeChat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// Access token of the stable channel.
    StableToken,
    /// Access token of the classic channel.
    ClassicToken,
    /// Creates a QR code.
    CreateQr,
    /// Returns WeChat's picture of a code.
    ShowQr,
    /// Sends a template message.
    SendTemplate,
    /// Lists the account's templates.
    ListTemplates,
    /// Lists the account's templates of subscription notices.
    ListSubscriptionTemplates,
    /// Adds a template of the public library.
    AddTemplate,
    /// Lists the account's categories in the library of subscription notices.
    SubscriptionCategories,
    /// Lists the titles of the library of subscription notices.
    SubscriptionTitles,
    /// Lists the keywords of a title of the library.
    SubscriptionKeywords,
    /// Adds a template of the library of subscription notices.
    AddSubscriptionTemplate,
    /// Sends a subscription notice.
    SendSubscription,
    /// Sends a customer-service text.
    SendText,
    /// Returns the profile of a person.
    UserInfo,
    /// Lists the account's followers.
    Followers,
    /// Tells the new openids after the migration of an account.
    ChangeOpenIds,
    /// Exchanges the code of a web page for an openid.
    ExchangeCode,
    /// Replaces the account's menu.
    CreateMenu,
    /// Returns the menu that the API made.
    GetMenu,
    /// Deletes the account's menu.
    DeleteMenu,
    /// Returns the menu that people see, also one that the console made.
    ShownMenu,
    /// Lists the addresses from which callbacks come.
    CallbackAddresses,
    /// Returns the quota of an API and its usage.
    GetQuota,
    /// Resets all quotas of an account, ten times a month.
    ClearQuota,
    /// Resets all quotas without an access token.
    ClearQuotaBySecret,
}

impl Api {
    /// All APIs.
    pub const ALL: [Api; 26] = [
        Api::StableToken,
        Api::ClassicToken,
        Api::CreateQr,
        Api::ShowQr,
        Api::SendTemplate,
        Api::ListTemplates,
        Api::ListSubscriptionTemplates,
        Api::AddTemplate,
        Api::SubscriptionCategories,
        Api::SubscriptionTitles,
        Api::SubscriptionKeywords,
        Api::AddSubscriptionTemplate,
        Api::SendSubscription,
        Api::SendText,
        Api::UserInfo,
        Api::Followers,
        Api::ChangeOpenIds,
        Api::ExchangeCode,
        Api::CreateMenu,
        Api::GetMenu,
        Api::DeleteMenu,
        Api::ShownMenu,
        Api::CallbackAddresses,
        Api::GetQuota,
        Api::ClearQuota,
        Api::ClearQuotaBySecret,
    ];

    /// Name in metrics and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Api::StableToken => "stable_token",
            Api::ClassicToken => "token",
            Api::CreateQr => "qrcode_create",
            Api::ShowQr => "showqrcode",
            Api::SendTemplate => "template_send",
            Api::ListTemplates => "template_list",
            Api::ListSubscriptionTemplates => "subscription_list",
            Api::AddTemplate => "template_add",
            Api::SubscriptionCategories => "subscription_categories",
            Api::SubscriptionTitles => "subscription_titles",
            Api::SubscriptionKeywords => "subscription_keywords",
            Api::AddSubscriptionTemplate => "subscription_add",
            Api::SendSubscription => "subscription_send",
            Api::SendText => "service_text",
            Api::UserInfo => "user_info",
            Api::Followers => "followers",
            Api::ChangeOpenIds => "change_openids",
            Api::ExchangeCode => "code_exchange",
            Api::CreateMenu => "menu_create",
            Api::GetMenu => "menu_get",
            Api::DeleteMenu => "menu_delete",
            Api::ShownMenu => "menu_shown",
            Api::CallbackAddresses => "callback_addresses",
            Api::GetQuota => "quota_get",
            Api::ClearQuota => "quota_clear",
            Api::ClearQuotaBySecret => "quota_clear_v2",
        }
    }

    /// Path at WeChat, with the leading `/`.
    pub fn path(self) -> &'static str {
        match self {
            Api::StableToken => "/cgi-bin/stable_token",
            Api::ClassicToken => "/cgi-bin/token",
            Api::CreateQr => "/cgi-bin/qrcode/create",
            Api::ShowQr => "/cgi-bin/showqrcode",
            Api::SendTemplate => "/cgi-bin/message/template/send",
            Api::ListTemplates => "/cgi-bin/template/get_all_private_template",
            Api::ListSubscriptionTemplates => "/wxaapi/newtmpl/gettemplate",
            Api::AddTemplate => "/cgi-bin/template/api_add_template",
            Api::SubscriptionCategories => "/wxaapi/newtmpl/getcategory",
            Api::SubscriptionTitles => "/wxaapi/newtmpl/getpubtemplatetitles",
            Api::SubscriptionKeywords => "/wxaapi/newtmpl/getpubtemplatekeywords",
            Api::AddSubscriptionTemplate => "/wxaapi/newtmpl/addtemplate",
            Api::SendSubscription => "/cgi-bin/message/subscribe/bizsend",
            Api::SendText => "/cgi-bin/message/custom/send",
            Api::UserInfo => "/cgi-bin/user/info",
            Api::Followers => "/cgi-bin/user/get",
            Api::ChangeOpenIds => "/cgi-bin/changeopenid",
            Api::ExchangeCode => "/sns/oauth2/access_token",
            Api::CreateMenu => "/cgi-bin/menu/create",
            Api::GetMenu => "/cgi-bin/menu/get",
            Api::DeleteMenu => "/cgi-bin/menu/delete",
            Api::ShownMenu => "/cgi-bin/get_current_selfmenu_info",
            Api::CallbackAddresses => "/cgi-bin/getcallbackip",
            Api::GetQuota => "/cgi-bin/openapi/quota/get",
            Api::ClearQuota => "/cgi-bin/clear_quota",
            Api::ClearQuotaBySecret => "/cgi-bin/clear_quota/v2",
        }
    }
}
