// Settings to begin with, by trade: services with their rules, counters, and what the rules mean.
import './trades-words.js';
import { WORDS } from '../../shared/words.js';

/**
 * Trade: its services with the rules of each, how many counters it has, and its rules in words.
 * @typedef {{ services: Record<string, object>, counters: number, rules: string[] }} Trade
 */

const TABLE = { missed: 'hold_minutes', missed_minutes: 15 };
const APPOINTED = { missed: 'hold_minutes', grace_seconds: 600 };

/** @type {Record<string, Trade>} */
export const TRADES = {
  hall: {
    services: {
      general: { minutes: 6 },
      social: { minutes: 8 },
      tax: { minutes: 8 },
    },
    counters: 4,
    rules: ['kept', 'priority', 'midnight'],
  },
  restaurant: {
    services: {
      small: { minutes: 12, ...TABLE },
      medium: { minutes: 15, ...TABLE },
      large: { minutes: 25, ...TABLE },
    },
    counters: 1,
    rules: ['front', 'tables', 'near'],
  },
  clinic: {
    services: {
      doctor: { minutes: 10 },
      blood: { minutes: 4 },
      result: { minutes: 5, class: 4, transfer: 'front' },
    },
    counters: 3,
    rules: ['results', 'kept', 'sent-back'],
  },
  bank: {
    services: {
      cash: { minutes: 6 },
      other: { minutes: 12 },
      business: { minutes: 15 },
    },
    counters: 4,
    rules: ['kept', 'priority'],
  },
  barber: {
    services: {
      cut: { minutes: 30, near: 2, ...APPOINTED },
      colour: { minutes: 90, near: 1, ...APPOINTED },
    },
    counters: 2,
    rules: ['ten-minutes', 'early'],
  },
  repair: {
    services: {
      check: { minutes: 15, carry_over: true },
      collect: { minutes: 4, class: 4 },
    },
    counters: 2,
    rules: ['carried', 'collect-first'],
  },
  campus: {
    services: {
      office: { minutes: 8, daily_per_person: 3 },
      money: { minutes: 5, daily_per_person: 3 },
    },
    counters: 2,
    rules: ['three-a-day', 'kept'],
  },
};

const PREFIXES = 'ABCDEFGHJKLMNPQRSTUVWXYZ'; // I and O look like digits

/** @param {string} trade */
export const serviceNames = trade =>
  Object.keys(TRADES[trade].services).map(id => WORDS[`trade.${trade}.${id}`][0]);

/**
 * Service of a trade by its name in either language.
 * @param {string} trade
 * @param {string} name
 */
export const knownService = (trade, name) =>
  Object.entries(TRADES[trade].services).find(([id]) =>
    WORDS[`trade.${trade}.${id}`].includes(name),
  );

/**
 * Settings of a site of a trade. A service that keeps a name of the trade keeps its rules; another
 * one has the rules of the trade's first.
 * @param {string} trade
 * @param {{ account: string, name: string, services: string[], ids: string[], counters: number }} given
 */
export function siteOfTrade(trade, { account, name, services, ids: madeIds, counters }) {
  const usual = Object.entries(TRADES[trade].services);
  const queues = {};
  services.forEach((written, index) => {
    const known = knownService(trade, written);
    const [id, rules] = known || [madeIds[index], usual[0][1]];
    const english = known && WORDS[`trade.${trade}.${id}`][1];
    queues[id] = {
      name: written,
      ...(english && english !== written && { name_en: english }),
      prefix: PREFIXES[index],
      order: index + 1,
      ...rules,
    };
  });
  const ids = Object.keys(queues);
  const numbered = {};
  for (let n = 1; n <= counters; n += 1) {
    const [zh, en] = WORDS[`trade.${trade}.counter`].map(text => text.replace('{n}', String(n)));
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
