// Settings to begin with, by trade: services, their rules with what each means, and counters.

/**
 * Service of a trade: its names, the settings of its queue, and its key.
 * @typedef {{ id: string, names: [string, string], rules: object }} Service
 */

/**
 * Trade: its names, its services, what its counters are called, and its rules in words.
 * @typedef {object} Trade
 * @property {[string, string]} names
 * @property {Service[]} services
 * @property {[string, string]} counter with `{n}` for its number
 * @property {number} counters
 * @property {[string, string][]} rules
 */

/** @type {[string, string]} */
const KEPT_PLACES = [
  '过号的人回来后，排在 3 位之后',
  'Whoever missed a call and comes back waits behind three others',
];
/** @type {[string, string]} */
const PRIORITY = [
  '优先的号最多越过同一个人 4 次',
  'Numbers with priority pass the same person four times at most',
];

/** @type {Record<string, Trade>} */
export const TRADES = {
  hall: {
    names: ['办事大厅', 'Service hall'],
    services: [
      { id: 'general', names: ['综合业务', 'General services'], rules: { minutes: 6 } },
      { id: 'social', names: ['社保医保', 'Social insurance'], rules: { minutes: 8 } },
      { id: 'tax', names: ['税务', 'Taxes'], rules: { minutes: 8 } },
    ],
    counter: ['{n}号窗口', 'Counter {n}'],
    counters: 4,
    rules: [
      KEPT_PLACES,
      PRIORITY,
      [
        '午夜前没办完的号作废，第二天重新取',
        'Numbers end with the day; people take a new one on the next',
      ],
    ],
  },
  restaurant: {
    names: ['餐饮', 'Restaurant'],
    services: [
      {
        id: 'small',
        names: ['小桌 1–2 人', 'Table for 1–2'],
        rules: { minutes: 12, missed: 'hold_minutes', missed_minutes: 15, start_on_call: true },
      },
      {
        id: 'medium',
        names: ['中桌 3–4 人', 'Table for 3–4'],
        rules: { minutes: 15, missed: 'hold_minutes', missed_minutes: 15, start_on_call: true },
      },
      {
        id: 'large',
        names: ['大桌 5 人以上', 'Table for 5 and more'],
        rules: { minutes: 25, missed: 'hold_minutes', missed_minutes: 15, start_on_call: true },
      },
    ],
    counter: ['迎宾台 {n}', 'Host {n}'],
    counters: 1,
    rules: [
      ['叫到就入座，不用再按开始', 'A call seats the guests: no second button'],
      ['过号保留 15 分钟，回来就排在最前', 'A missed number is kept for 15 minutes, at the front'],
      ['每种桌型各排各的队', 'Each size of table has a line of its own'],
    ],
  },
  clinic: {
    names: ['诊所', 'Clinic'],
    services: [
      { id: 'doctor', names: ['看诊', 'Doctor'], rules: { minutes: 10, missed_places: 2 } },
      { id: 'blood', names: ['抽血', 'Blood test'], rules: { minutes: 4 } },
      {
        id: 'result',
        names: ['看报告', 'Results'],
        rules: { minutes: 5, class: 4, transfer: 'front' },
      },
    ],
    counter: ['{n}号诊室', 'Room {n}'],
    counters: 3,
    rules: [
      ['看报告的人比初诊先叫', 'Whoever has results is called before first visits'],
      KEPT_PLACES,
      ['从抽血转回来的人排在最前', 'Whoever is sent back with results goes to the front'],
    ],
  },
  bank: {
    names: ['银行网点', 'Bank branch'],
    services: [
      { id: 'cash', names: ['现金业务', 'Cash'], rules: { minutes: 6 } },
      { id: 'other', names: ['非现金业务', 'Other services'], rules: { minutes: 12 } },
      { id: 'business', names: ['对公业务', 'Business customers'], rules: { minutes: 15 } },
    ],
    counter: ['{n}号窗口', 'Counter {n}'],
    counters: 4,
    rules: [KEPT_PLACES, PRIORITY],
  },
  barber: {
    names: ['理发美容', 'Barber and salon'],
    services: [
      {
        id: 'cut',
        names: ['剪发', 'Haircut'],
        rules: { minutes: 30, grace_seconds: 600, missed: 'hold_minutes', near: 2 },
      },
      {
        id: 'colour',
        names: ['烫染', 'Perm and colour'],
        rules: { minutes: 90, grace_seconds: 600, missed: 'hold_minutes', near: 1 },
      },
    ],
    counter: ['{n}号师傅', 'Stylist {n}'],
    counters: 2,
    rules: [
      ['叫到后等 10 分钟', 'Whoever is called has ten minutes to come'],
      ['前面还有 1–2 位时提前通知', 'People are told with one or two ahead'],
    ],
  },
  repair: {
    names: ['维修', 'Repair'],
    services: [
      { id: 'check', names: ['检测', 'Check'], rules: { minutes: 15, carry_over: true } },
      { id: 'collect', names: ['取件', 'Collect'], rules: { minutes: 4, class: 4 } },
    ],
    counter: ['{n}号工位', 'Desk {n}'],
    counters: 2,
    rules: [
      ['检测的号当天没轮到，第二天接着排', 'A check that is not reached goes on the next day'],
      ['取件的人先叫', 'Whoever collects is called first'],
    ],
  },
  campus: {
    names: ['学校办公室', 'School and campus office'],
    services: [
      { id: 'office', names: ['学籍事务', 'Registry'], rules: { minutes: 8, daily_per_person: 3 } },
      { id: 'money', names: ['缴费', 'Payments'], rules: { minutes: 5, daily_per_person: 3 } },
    ],
    counter: ['{n}号窗口', 'Desk {n}'],
    counters: 2,
    rules: [
      ['每人每天每项最多取 3 个号', 'Three numbers a person, a day and a service'],
      KEPT_PLACES,
    ],
  },
};

const PREFIXES = 'ABCDEFGHJKLMNPQRSTUVWXYZ'; // I and O look like digits

/**
 * Settings of a site of a trade. A service that keeps a name of the trade keeps its rules; another
 * one has the rules of the trade's first.
 * @param {string} trade
 * @param {{ account: string, name: string, services: string[], counters: number }} given
 */
export function siteOfTrade(trade, { account, name, services, counters }) {
  const { services: usual, counter } = TRADES[trade];
  const queues = {};
  services.forEach((written, index) => {
    const known = usual.find(({ names }) => names[0] === written || names[1] === written);
    queues[known ? known.id : `service-${index + 1}`] = {
      name: written,
      ...(known && known.names[1] !== written && { name_en: known.names[1] }),
      prefix: PREFIXES[index],
      order: index + 1,
      ...(known || usual[0]).rules,
    };
  });
  const ids = Object.keys(queues);
  const numbered = {};
  for (let n = 1; n <= counters; n += 1) {
    const [zh, en] = counter.map(text => text.replace('{n}', String(n)));
    numbered[n] = { name: zh, name_en: en, queues: ids };
  }
  return { account, name, queues, counters: numbered };
}

/**
 * The same settings without names in English, for a deployment that may not store them yet.
 * @param {ReturnType<typeof siteOfTrade>} site
 */
export function withoutEnglish(site) {
  const plain = named =>
    Object.fromEntries(
      Object.entries(named).map(([id, { name_en: _, ...settings }]) => [id, settings]),
    );
  return { ...site, queues: plain(site.queues), counters: plain(site.counters) };
}
