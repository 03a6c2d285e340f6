// What the sections about people, keys and webhooks share: who may do what, and a "no" where one acted.
import './manage-access-words.js';
import { ask, make } from './paihao.js';
import { headers, isAboutWho, turnedAway } from './key.js';
import { named, choice, tick } from './manage-fields.js';
import { pair, put, said, tongue } from './language.js';

const SURE_MS = 5000; // for the second press of what cannot be undone

/** A line that says what was done, or why not. */
export function status() {
  const line = make('p', { class: 'told', role: 'status' });
  const tell = (kind, ...what) => {
    line.className = `told ${kind}`;
    line.replaceChildren(...what);
  };
  /** Asks the server, and says why not; whoever is out is sent to log in. */
  const wish = async (path, { method = 'GET', body, more } = {}) => {
    try {
      return await ask(path, { method: method === 'GET' ? undefined : method, headers: { ...headers(), ...more }, body: body && JSON.stringify(body) });
    } catch (refusal) {
      if (isAboutWho(refusal)) turnedAway(refusal);
      tell('refused', put(make('strong'), refusal.pair), ' ', make('small', { lang: speech(refusal.detail || '') }, refusal.detail || ''));
      throw refusal;
    }
  };
  return { line, tell, wish };
}

export function button(key, act, kind = 'ghost') {
  const element = said(key, {}, 'button');
  Object.assign(element, { type: 'button', className: kind });
  element.addEventListener('click', () => act().catch(refusal => { if (!refusal.status && refusal.code !== 'offline') throw refusal; }));
  return element;
}

/** A button that does what cannot be undone when it is pressed a second time. */
export function twice(key, sure, name, act) {
  let timer = 0;
  const element = button(key, async () => {
    clearTimeout(timer);
    if (element.dataset.sure) return act();
    element.dataset.sure = 'yes';
    put(element, pair(sure, { name }));
    timer = setTimeout(() => {
      delete element.dataset.sure;
      put(element, pair(key));
    }, SURE_MS);
    return null;
  }, 'ghost remove');
  return element;
}

/** What somebody may do at this site, to be chosen: everywhere, here, or at some counters. */
export function scope({ id, draft, me, was = null, whole = 'manager' }) {
  const at = new Set(was?.counters || []);
  const counters = make('div', { class: 'ticks' }, Object.entries(draft.counters).map(([counter, { name }]) => {
    const one = tick(named(name), at.has(counter), on => (on ? at.add(counter) : at.delete(counter)));
    one.querySelector('label').lang = speech(name);
    return one;
  }));
  let how = was && was.counters.length === 0 ? (was.sites ? 'here' : 'everywhere') : 'counters';
  const show = value => { how = value; counters.hidden = how !== 'counters'; };
  show(how);
  const options = [['counters', pair('access.counters')], ['here', pair(`access.is.${whole}.here`)], ...(me.sites ? [] : [['everywhere', pair(`access.is.${whole}.everywhere`)]])];
  const sites = was?.sites ? [...new Set([...was.sites, id])] : [id];
  return {
    fields: [choice('scope', pair('access.may'), how, options, show), counters],
    kind: () => how,
    chosen: () => ({ sites: how === 'everywhere' ? null : sites, counters: how === 'counters' ? [...at] : [] }),
  };
}

/** The language that a name is read in. */
export const speech = name => tongue(name) || 'en';

/** What somebody has given a name to. */
export const bold = name => make('strong', { lang: speech(name), translate: 'no' }, name);

/** The same, as it is. */
export function may({ sites, counters }, draft, whole = 'manager') {
  if (counters.length === 0) return [said(`access.is.${whole}.${sites ? 'here' : 'everywhere'}`)];
  const names = counters.map(counter => draft.counters[counter]?.name || counter).join('、');
  return [said('access.at'), ' ', make('span', { lang: speech(names), translate: 'no' }, names)];
}

/** Whether it has to do with this site. */
export const concerns = id => ({ sites }) => !sites || sites.includes(id);
