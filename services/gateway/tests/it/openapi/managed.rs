//! Scripts of refusals to managers: about settings and about dead letters.

/// Refused settings, and conflicts with concurrent changes.
pub const SETTINGS_SCRIPT: &str = r#"
    manager put_site {"account": "shop", "name": "x"} -> revision_needed
    manager put_queue {"name": "x", "prefix": "A"} -> revision_needed
    manager put_counter {"name": "x", "queues": []} -> revision_needed
    manager put_wording {"news": "x"} -> revision_needed
    manager put_hours {} -> revision_needed
    manager delete_queue -> revision_needed
    manager delete_counter -> revision_needed
    manager retire_site -> revision_needed
    owner put_account {"greeting": "x"} -> revision_needed
    manager put_site seen=7 {"account": "shop", "name": "x"} -> revision_changed
    manager put_queue seen=7 {"name": "x", "prefix": "A"} -> revision_changed
    manager put_counter seen=7 {"name": "x", "queues": []} -> revision_changed
    manager put_wording seen=7 {"news": "x"} -> revision_changed
    manager put_hours seen=7 {} -> revision_changed
    manager delete_queue seen=7 -> revision_changed
    manager delete_counter seen=7 -> revision_changed
    manager retire_site seen=7 -> revision_changed
    owner put_account seen=7 {"greeting": "x"} -> revision_changed
    owner import_book seen=7 {} -> revision_changed
    manager put_site seen=mine {"account": "shop", "name": "x"} -> malformed_request
    manager put_site seen=SEEN {"account": "nobody", "name": "x"} -> unsound_setup
    manager put_queue seen=SEEN {"name": "x", "prefix": "B"} -> unsound_setup
    manager put_counter seen=SEEN {"name": "x", "queues": ["z"]} -> unsound_setup
    manager put_wording seen=SEEN {"news": "{nubmer}"} -> unsound_setup
    manager put_hours seen=SEEN {"dates": ["never"]} -> unsound_setup
    manager put_hours seen=SEEN {"queues": {"z": []}} -> unknown_queue
    manager delete_queue seen=SEEN -> unsound_setup
    owner put_account seen=0 {"channels": []} -> unsound_setup
    manager preview_notice {"kind": "caled"} -> unknown_wording
    manager preview_notice {"kind": "called", "account": {"channels": []}} -> unsound_setup
    manager preview_notice {"kind": "called", "setup": {"account": "nobody", "name": "x"}} -> not_every_site
    owner preview_notice {"kind": "called", "setup": {"account": "nobody", "name": "x"}} -> unknown_account
    manager put_site site=new {"account": "shop", "name": "x"} -> not_every_site
    manager list_changes -> not_every_site
    manager list_changes query=site=other -> not_your_site
    manager list_changes query=site=nowhere -> unknown_site
    manager list_changes query=limit=many -> malformed_request
    owner export_book query=format=xml -> malformed_request
    owner import_book query=dry_run=maybe {} -> malformed_request
    manager put_wording seen=SEEN {"news": "x"}
    manager delete_wording -> revision_needed
    manager delete_wording seen=7 -> revision_changed
    manager put_queue queue=new seen=SEEN {"name": "x", "prefix": "N", "open": false}
    manager open_queue queue=new
    manager take_ticket queue=new
    manager delete_queue queue=new seen=SEEN -> in_use
    manager put_site seen=SEEN {"account": "shop", "name": "x"} -> in_use
    owner import_book {"sites": {"hall": {"account": "shop", "name": "x"}}} -> in_use
    manager retire_site seen=SEEN -> in_use
    manager open_counter
    manager delete_counter seen=SEEN -> in_use
    manager read_logo -> no_logo
    manager delete_logo -> no_logo
    manager put_logo {} -> bad_logo
    owner import_book {"logos": {"hall": {"png": "AAAA"}}} -> bad_logo
    owner import_book {"logos": {"nowhere": {"png": "AAAA"}}} -> unknown_site
    manager put_logo body=PNG
    manager put_logo body=PNG -> revision_needed
    manager put_logo seen=99 body=PNG -> revision_changed
    manager put_logo seen=mine body=PNG -> malformed_request
    manager delete_logo -> revision_needed
    manager delete_logo seen=99 -> revision_changed
    manager show_rules_example {"queue": "z", "setup": {"account": "shop", "name": "x"}} -> unknown_queue
    manager show_rules_example {"queue": "a", "setup": {"account": "shop", "name": ""}} -> unsound_setup
    manager read_accent colour=green -> malformed_request
    manager read_holidays {"text": "x", "workday": 7} -> malformed_request
"#;

/// Refused accounts: `shop` is one of the configuration.
pub const ACCOUNTS_SCRIPT: &str = r#"
    owner connect_account {"appid": "wx1", "secret": "0123456789abcdef"} -> set_by_file
    owner retire_account -> set_by_file
    owner connect_account account=added {"appid": "wx1"} -> unsound_setup
    owner connect_account account=added seen=7 {"appid": "wx1", "secret": "x"} -> revision_changed
    owner connect_account account=added {"appid": "wx1", "secret": "0123456789abcdef"}
    owner connect_account account=added {"appid": "wx1", "secret": "x"} -> revision_needed
    owner retire_account account=added -> revision_needed
    owner retire_account account=added seen=7 -> revision_changed
    owner retire_account account=added query=dry_run=true
    owner account account=added
    owner accounts
    owner end_rehearsal -> no_rehearsal
    owner end_rehearsal query=keep=no -> malformed_request
    owner begin_rehearsal
    owner begin_rehearsal -> no_rehearsal
    owner connect_account account=real {"appid": "wx1", "secret": "0123456789abcdef"} -> rehearsing
    owner end_rehearsal
    owner account account=nobody -> unknown_account
    owner retire_account account=nobody -> unknown_account
    owner account_abilities account=nobody -> unknown_account
    manager account_abilities -> not_every_site
    manager accounts -> not_every_site
    manager account -> not_every_site
    manager connect_account {"appid": "wx1"} -> not_every_site
    manager retire_account -> not_every_site
    owner put_site site=new {"account": "added", "name": "x"}
    owner retire_account account=added query=dry_run=true -> in_use
"#;

/// Refused menus.
pub const MENU_SCRIPT: &str = r#"
    owner push_menu -> menu_not_set
    owner put_menu {"buttons": []} -> revision_needed
    owner put_menu seen=7 {"buttons": []} -> revision_changed
    owner put_menu seen=0 {"buttons": [{"name": "六个汉字太长", "action": "hours"}]} -> unsound_setup
    owner put_menu seen=0 {"buttons": [{"name": "取号", "action": {"take": {"site": "gone"}}}]} -> unsound_setup
    owner put_menu seen=0 {"buttons": [{"name": "取号", "action": {"take": {}}}]}
    manager push_menu -> not_every_site
"#;

/// Dead letters of the hall, of another site, and of no site.
pub const DEAD_LETTERS_SCRIPT: &str = r#"
    manager drop_letter letter=ELSEWHERE -> not_your_site
    manager redrive_letter letter=ELSEWHERE -> not_your_site
    manager redrive_letter letter=STRANGE -> not_your_site
    owner redrive_letter letter=STRANGE -> not_redrivable
    manager drop_letter letter=OWN
    manager redrive_letter letter=OWN -> letter_handled
    owner redrive_letter letter=ELSEWHERE
    owner drop_letter letter=ELSEWHERE -> letter_handled
    manager dead_letters query=limit=0 -> malformed_request
    manager dead_letters query=site=nowhere -> unknown_site
    manager dead_letters query=site=other -> not_your_site
    manager redrive_letters {"reason": "x", "site": "nowhere"} -> unknown_site
    manager redrive_letters {"reason": "x", "site": "other"} -> not_your_site
"#;
