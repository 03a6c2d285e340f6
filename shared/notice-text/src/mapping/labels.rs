//! Meaning of the labels of template fields, as WeChat's library has them.

use paihao_wechat::template::FieldType;

/// Text for a field that addresses the customer, whose name nobody knows.
const CUSTOMER: &str = "顾客";

/// Words of labels, and what the field then says, best first. The first row with a word of a label
/// counts, so the narrower ones stand first. No wording: known, and nothing that we could say.
const LABELS: [(&[&str], &[&str]); 18] = [
    (&["手机", "电话", "车牌", "身份证", "卡号", "会员号", "热线"], &[]),
    (&["取号时间", "排队时间", "下单时间", "预约", "入队时间", "签到", "登记时间"], &[]),
    (&["顺延", "推后", "延后", "后移"], &["{places}"]),
    (&["订单", "金额", "价格", "费用"], &[]),
    (
        &[
            "等待人数",
            "等候人数",
            "排队人数",
            "等位人数",
            "前面人数",
            "前方人数",
            "剩余人数",
            "前面还有",
            "前方还有",
            "前方等待",
            "前面等待",
            "前方排队",
            "等待桌数",
            "等位桌数",
            "人数",
            "桌数",
            "位数",
        ],
        &["{ahead}"],
    ),
    (
        &[
            "预计等待",
            "预计等候",
            "预计时长",
            "预计时间",
            "预估",
            "等待时间",
            "等候时间",
            "等待时长",
            "等候时长",
            "等待分钟",
            "还需",
            "剩余时间",
        ],
        &["{wait}"],
    ),
    (&["有效期", "截止", "失效", "保留", "过期时间", "有效时间", "到期", "最晚"], &["{until}"]),
    (&["时间", "日期", "时刻"], &["{time}"]),
    (&["姓名", "顾客", "客户", "用户", "患者", "会员", "就诊人", "申请人", "办理人"], &[CUSTOMER]),
    (
        &["窗口", "柜台", "柜位", "诊室", "台席", "服务台", "桌号", "座位", "工位", "机位"],
        &["{counter}", "请到{counter}"],
    ),
    (
        &[
            "号码",
            "排队号",
            "排号",
            "票号",
            "叫号",
            "取号",
            "当前号",
            "您的号",
            "就诊号",
            "序号",
            "流水号",
            "编号",
            "单号",
            "排位号",
            "等位号",
            "号数",
        ],
        &["{number}"],
    ),
    (
        &[
            "状态", "进度", "结果", "提示", "备注", "说明", "提醒", "温馨", "内容", "原因", "注意",
            "事由", "通知",
        ],
        &["{news}"],
    ),
    (
        &[
            "门店",
            "店铺",
            "商家",
            "商户",
            "餐厅",
            "网点",
            "医院",
            "机构",
            "单位",
            "大厅",
            "店名",
            "营业厅",
            "学校",
            "部门",
            "场馆",
            "公司",
            "场所",
            "酒店",
            "诊所",
        ],
        &["{site}"],
    ),
    (
        &[
            "业务", "队列", "服务", "项目", "科室", "桌型", "类型", "类别", "事项", "品类", "餐桌",
            "队伍",
        ],
        &["{queue}"],
    ),
    (&["地点", "位置", "前往", "地址"], &["{counter}", "请到{counter}", "{site}"]),
    (&["等待", "等候"], &["{wait}", "{ahead}"]),
    (&["名称"], &["{site}"]),
    (&["号"], &["{number}"]),
];

/// Meanings of a label, best first; `None` for one that is not known.
pub(super) fn meanings(notice: &str, label: &str) -> Option<&'static [&'static str]> {
    let label: String = label.chars().filter(|c| c.is_alphanumeric()).collect();
    let (words, wordings) =
        LABELS.iter().find(|(words, _)| words.iter().any(|word| label.contains(word)))?;
    // The place of a notice that is no call is the shop.
    let is_place = words.contains(&"地点");
    Some(if is_place && notice != "called" { &["{site}"] } else { wordings })
}

/// Texts of a field of an unknown label, by its type; the first that fits and is not said yet.
pub(super) fn by_type(notice: &str, key: &str) -> &'static [&'static str] {
    match FieldType::from_key(key) {
        Some(FieldType::Time | FieldType::Date) => &["{time}"],
        Some(FieldType::CharacterString) => &["{number}"],
        Some(FieldType::Phrase | FieldType::ShortThing) => &["{news}"],
        Some(FieldType::Name) => &[CUSTOMER],
        Some(FieldType::Thing) if notice == "called" => {
            &["{counter}", "{site}", "{queue}", "{news}"]
        }
        Some(FieldType::Thing) => &["{news}", "{site}", "{queue}"],
        _ => &[],
    }
}

/// Texts that a card of this kind should have, the most important first.
pub(super) fn texts_by_importance(notice: &str) -> &'static [&'static str] {
    match notice {
        "called" => &["{number}", "{counter}", "{site}", "{time}", "{queue}", "{news}"],
        "missed" => &["{number}", "{news}", "{site}", "{until}", "{queue}", "{time}"],
        _ => &["{number}", "{news}", "{ahead}", "{wait}", "{site}", "{queue}"],
    }
}

/// Words of the titles of the library that fit a kind of notice.
pub(super) fn titles(notice: &str) -> &'static [&'static str] {
    match notice {
        "called" => &["叫号", "到号", "就诊提醒", "入座", "用餐提醒"],
        "missed" => &["过号"],
        _ => &["排队", "等位", "候诊", "排号"],
    }
}
