// Form that sets up a site: a trade, a name, services and counters in one step.
import './new-site-words.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translations } from '../../shared/language.js';
import { actionButton, statusLine } from './access.js';
import { field, idInput } from './fields.js';
import { showExample } from './rules-example.js';
import { TRADES, knownService, serviceNames, siteOfTrade, withoutEnglish } from './trades.js';

const MAX_COUNTERS = 20;
const MAX_SERVICES = 12;

/**
 * Card of the form.
 * @param {string[]} accounts names of the accounts
 * @param {string[]} taken ids of the sites that there are
 */
export function newSiteCard(accounts, taken) {
  const { line, request } = statusLine();
  if (accounts.length === 0) {
    return createElement(
      'div',
      { class: 'card' },
      setText(createElement('h3'), 'new-site'),
      setText(createElement('p'), 'new-site.no-account'),
    );
  }
  const trade = createElement(
    'select',
    { id: 'trade' },
    Object.keys(TRADES).map(id =>
      createElement('option', { value: id }, translations(`trade.${id}`).join(' ')),
    ),
  );
  const account = createElement(
    'select',
    { id: 'new-account' },
    accounts.map(name => createElement('option', { value: name }, name)),
  );
  const name = createElement('input', { autocomplete: 'off', maxlength: 40, required: true });
  const id = idInput(written => taken.includes(written));
  const services = createElement('textarea', { rows: 4, required: true });
  const counters = createElement('input', {
    type: 'number',
    min: 1,
    max: MAX_COUNTERS,
    required: true,
  });
  const rules = createElement('ul', { class: 'rows' });
  const example = createElement('div', { class: 'example', 'aria-live': 'polite' });
  example.hidden = true;
  let idIsOurs = true;

  /** Id of the trade that no site has or had: the trade's name, with a number from the second on. */
  const freeId = async () => {
    const body = { kind: 'site', names: [trade.value] };
    return (await request('/api/v1/book/ids', { method: 'POST', body })).ids[0];
  };
  const showFreeId = async () => {
    const wanted = trade.value;
    const free = await freeId().catch(() => wanted);
    if (idIsOurs && wanted === trade.value) id.value = free;
  };
  const chooseTrade = () => {
    const { counters: count, rules: known } = TRADES[trade.value];
    services.value = serviceNames(trade.value).join('\n');
    counters.value = String(count);
    rules.replaceChildren(...known.map(rule => textElement(`trade.rule.${rule}`, {}, 'li')));
    if (idIsOurs) {
      id.value = trade.value; // until the answer is there
      showFreeId();
    }
    showExample(example, usualSite, Object.keys(TRADES[trade.value].services)[0]);
  };
  /** The site with the trade's own services, whose first is the example. */
  const usualSite = () =>
    siteOfTrade(trade.value, {
      account: account.value,
      name: translations(`trade.${trade.value}`)[0],
      services: serviceNames(trade.value),
      ids: [],
      counters: Math.min(MAX_COUNTERS, Math.max(1, Number(counters.value) || 1)),
    });
  counters.addEventListener('input', () =>
    showExample(example, usualSite, Object.keys(TRADES[trade.value].services)[0]),
  );
  trade.addEventListener('change', chooseTrade);
  id.addEventListener('input', () => {
    idIsOurs = false;
  });
  chooseTrade();

  const written = () =>
    services.value
      .split('\n')
      .map(service => service.trim())
      .filter(Boolean)
      .slice(0, MAX_SERVICES);
  async function make() {
    if (!form.reportValidity()) return;
    const names = written();
    const taken = names.flatMap(service => knownService(trade.value, service)?.[0] ?? []);
    const { ids } = await request('/api/v1/book/ids', {
      method: 'POST',
      body: { kind: 'queue', names, taken },
    });
    const site = siteOfTrade(trade.value, {
      account: account.value,
      name: name.value.trim(),
      services: names,
      ids,
      counters: Number(counters.value),
    });
    const put = body =>
      request(`/api/v1/book/sites/${encodeURIComponent(id.value)}`, { method: 'PUT', body });
    const setUp = async () => {
      // Somebody else may have set one up since the page was opened.
      if (idIsOurs) id.value = await freeId();
      await put(site).catch(error => {
        if (error.code !== 'forms_held_back') throw error;
        return put(withoutEnglish(site));
      });
    };
    await setUp().catch(error => {
      if (error.code !== 'revision_needed' || !idIsOurs) throw error;
      return setUp(); // or at this moment
    });
    location.href = `/manage/${encodeURIComponent(id.value)}#pages`;
  }

  const form = createElement(
    'form',
    { class: 'adding card', id: 'new-site' },
    setText(createElement('h3'), 'new-site'),
    setText(createElement('p', { class: 'soft' }), 'new-site.lead'),
    field('new-site.trade', translations('new-site.trade'), trade),
    field('new-site.name', translations('new-site.name'), name),
    accounts.length > 1 && field('new-site.account', translations('new-site.account'), account),
    field('new-site.services', translations('new-site.services'), services),
    field('new-site.counters', translations('new-site.counters'), counters),
    setText(createElement('p', { class: 'soft' }), 'new-site.rules'),
    rules,
    example,
    createElement(
      'details',
      {},
      setText(createElement('summary'), 'new-site.id'),
      field('new-site.id', translations('new-site.id'), id),
    ),
    actionButton('new-site.make', make, 'primary'),
    line,
  );
  // The button acts; a line feed in a field does not.
  form.addEventListener('submit', event => event.preventDefault());
  return form;
}
