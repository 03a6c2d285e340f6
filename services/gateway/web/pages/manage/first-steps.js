// First steps of an owner: what is done, and what comes next.
import './first-steps-words.js';
import { authHeaders } from '../../shared/credentials.js';
import { byId, createElement } from '../../shared/dom.js';
import { fetchJson } from '../../shared/http.js';
import { setText, textElement } from '../../shared/language.js';
import { actionButton, confirmButton, statusLine } from './access.js';
import { REHEARSAL, beginRehearsal, completeStrip, endRehearsal } from './rehearsal.js';

const LOOK_INTERVAL_MS = 3000; // while a step is open
const MAX_SITES_LOOKED_AT = 3;
const MAX_ACCOUNTS_LOOKED_AT = 3;
const STORAGE_KEY = 'paihao.first-steps';

/**
 * State of the deployment, as far as the steps depend on it.
 * @typedef {object} Progress
 * @property {import('./rehearsal.js').Rehearsal} rehearsal
 * @property {import('./accounts.js').Account[]} accounts
 * @property {{ site: string, account: string }[]} sites
 * @property {boolean} templates
 * @property {boolean} tried
 * @property {boolean} handed
 */

/**
 * Step: its name, whether it is done, and what to show if it is the next.
 * @typedef {object} Step
 * @property {string} id
 * @property {boolean} done
 * @property {() => (HTMLElement | false | null | undefined)[]} content
 */

/** What this browser knows of former days: that a number was tried, that the steps are hidden. */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY) || '{}');
  } catch {
    return {}; // a browser without storage
  }
}

/** @param {object} more */
function remember(more) {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify({ ...remembered(), ...more }));
  } catch {
    /* a browser without storage */
  }
}

/** @param {string} path */
const get = path => fetchJson(path, { headers: authHeaders() });

/**
 * Result of a request, or another value if it is refused.
 * @template T
 * @param {string} path
 * @param {T} otherwise
 * @returns {Promise<T>}
 */
const getOr = (path, otherwise) => get(path).catch(() => otherwise);

/** @returns {Promise<Progress>} */
async function readProgress() {
  const [rehearsal, accounts, sites, staff] = await Promise.all([
    get(REHEARSAL),
    get('/api/v1/accounts'),
    get('/api/v1/book/sites'),
    getOr('/api/v1/staff', { members: [] }),
  ]);
  const isRehearsal = rehearsal.state === 'running';
  const setups = await Promise.all(
    accounts
      .slice(0, MAX_ACCOUNTS_LOOKED_AT)
      .map(({ account }) => getOr(`/api/v1/book/accounts/${encodeURIComponent(account)}`, {})),
  );
  const days = await Promise.all(
    sites
      .slice(0, MAX_SITES_LOOKED_AT)
      .map(({ site }) => getOr(`/api/v1/sites/${encodeURIComponent(site)}/tickets?limit=1`, {})),
  );
  const hasNumber = days.some(({ tickets }) => tickets?.length > 0);
  if (hasNumber && !isRehearsal) remember({ tried: true });
  return {
    rehearsal,
    accounts,
    sites,
    templates: setups.some(({ called }) => called?.template_id || called?.subscription),
    tried: hasNumber || (!isRehearsal && Boolean(remembered().tried)),
    handed: staff.members.length > 1,
  };
}

/**
 * Link that looks like a button.
 * @param {string} key
 * @param {string} href
 */
function linkButton(key, href, isElsewhere = false) {
  const link = createElement('a', {
    class: 'button',
    href,
    ...(isElsewhere && { target: '_blank', rel: 'noopener' }),
  });
  link.append(textElement(key));
  return link;
}

/** @param {ReturnType<typeof statusLine>} status */
async function begin({ showStatus, request }) {
  showStatus('waiting', textElement('first.rehearse.starting'));
  await beginRehearsal(request);
}

/**
 * @param {Progress} progress
 * @param {ReturnType<typeof statusLine>} status
 * @returns {Step[]}
 */
function stepsOf(progress, status) {
  const { showStatus, request } = status;
  const { rehearsal, accounts, sites, templates, tried, handed } = progress;
  const isRehearsal = rehearsal.state === 'running';
  const site = encodeURIComponent(sites[0]?.site ?? '');
  const isConnected = accounts.some(({ token, verified_at: at }) => token?.ok && at);
  const waiting = sites.find(({ account }) => !accounts.some(known => known.account === account));
  const end = keepsSettings => async () => {
    showStatus('waiting', textElement('first.real.ending'));
    await endRehearsal(request, keepsSettings);
  };
  const wechatText = () => {
    if (waiting) return textElement('first.wechat.waiting', { account: waiting.account }, 'p');
    if (accounts.length) return textElement('first.wechat.unverified', {}, 'p');
    if (rehearsal.state === 'ready') return textElement('first.wechat.none', {}, 'p');
    return textElement('first.wechat.account', {}, 'p');
  };
  /** @type {Step[]} */
  const steps = [
    {
      id: 'wechat',
      done: isRehearsal || (isConnected && !waiting),
      content: () => [
        wechatText(),
        rehearsal.state === 'ready' &&
          sites.length === 0 &&
          actionButton('first.rehearse', () => begin(status), 'primary'),
        accounts.length === 0 && linkButton('first.connect', '#connecting'),
      ],
    },
    {
      id: 'shop',
      done: sites.length > 0,
      content: () => [
        textElement('first.shop.do', {}, 'p'),
        linkButton('first.shop.go', '#new-site'),
      ],
    },
    {
      id: 'try',
      done: tried,
      content: () => [
        textElement('first.try.do', {}, 'p'),
        linkButton('first.kiosk', `/kiosk/${site}`, true),
        isRehearsal && linkButton('first.phones', '/phones', true),
        linkButton('first.console', `/console/${site}`, true),
      ],
    },
    {
      id: 'templates',
      done: templates && !isRehearsal,
      content: () => [
        textElement('first.templates.do', {}, 'p'),
        linkButton('first.templates.go', `/manage/${site}#templates`),
      ],
    },
    {
      id: 'hand',
      done: handed && !isRehearsal,
      content: () => [
        textElement('first.hand.do', {}, 'p'),
        linkButton('first.hand.go', `/manage/${site}#handover`),
      ],
    },
  ];
  if (isRehearsal) {
    steps.splice(3, 0, {
      id: 'real',
      done: false,
      content: () => [
        textElement('first.real.do', {}, 'p'),
        confirmButton('first.real.go', 'first.real.sure', '', end(true)),
        confirmButton('first.real.drop', 'first.real.drop.sure', '', end(false)),
      ],
    });
  }
  return steps;
}

/**
 * Tells whether the pages set the deployment up. Whoever has written a file knows the way.
 * @param {Progress} progress
 */
const isSetUpByPages = ({ accounts }) => accounts.every(({ source }) => source !== 'file');

/** @param {Step[]} steps */
const openSteps = steps => steps.filter(({ done }) => !done);

/**
 * @param {Step} step
 * @param {'done' | 'next' | 'later'} state
 */
function stepElement({ id, content }, state) {
  const isShown = state === 'next' || id === 'real';
  return createElement(
    'li',
    { 'data-step': id, 'data-state': state },
    createElement(
      'h3',
      {},
      textElement(`first.${id}`),
      ' ',
      textElement(`first.${state}`, {}, 'small'),
    ),
    isShown && createElement('div', { class: 'step' }, content()),
  );
}

/** Creates the button that begins another rehearsal, which is there when the steps are done, too. */
function rehearseAgain() {
  const status = statusLine();
  const button = confirmButton('first.rehearse-again', 'first.rehearse.sure', '', () =>
    begin(status),
  );
  return createElement('div', { id: 'rehearse-again', hidden: true }, button, status.line);
}

/**
 * Creates the card, and the button that begins another rehearsal. The card follows what happens in
 * other windows, and stays while a step is open.
 */
export function firstSteps() {
  const status = statusLine();
  const list = createElement('ol', { class: 'steps', id: 'first-steps' });
  const card = createElement('div', { class: 'card', hidden: true });
  const again = rehearseAgain();
  let shown = '';
  const hide = actionButton('first.hide', async () => {
    remember({ hidden: true });
    card.hidden = true;
  });
  card.append(
    createElement('div', { class: 'name' }, textElement('first.title', {}, 'h2'), hide),
    setText(createElement('p', { class: 'soft' }), 'first.lead'),
    list,
    status.line,
  );
  const look = async () => {
    const progress = await readProgress();
    completeStrip();
    const isRehearsal = progress.rehearsal.state === 'running';
    const steps = stepsOf(progress, status);
    const open = openSteps(steps);
    const isLate = progress.sites.length > 0 && !isSetUpByPages(progress);
    card.hidden = open.length === 0 || isLate || (!isRehearsal && remembered().hidden);
    hide.hidden = isRehearsal || progress.sites.length === 0;
    const isOffered = !card.hidden && open[0]?.id === 'wechat' && progress.sites.length === 0;
    again.hidden = progress.rehearsal.state !== 'ready' || isOffered;
    // A button that waits for its second press stays.
    const state = JSON.stringify([
      steps.map(({ id, done }) => [id, done]),
      progress.sites[0],
      progress.accounts.length,
    ]);
    if (isLate) return 0;
    if (state === shown) return open.length;
    shown = state;
    const next = open[0]?.id;
    list.replaceChildren(
      ...steps.map(step =>
        stepElement(step, step.done ? 'done' : step.id === next ? 'next' : 'later'),
      ),
    );
    return open.length;
  };
  const follow = async () => {
    const left = document.hidden ? 1 : await look().catch(() => 1);
    if (left > 0) setTimeout(follow, LOOK_INTERVAL_MS);
  };
  follow();
  return { card, again };
}

/** Shows in the header of a site's page how many steps are left, for managers of every site. */
export async function watchFirstSteps() {
  const progress = await readProgress().catch(() => null);
  if (!progress || !isSetUpByPages(progress)) return;
  completeStrip();
  const isRehearsal = progress.rehearsal.state === 'running';
  const left = openSteps(stepsOf(progress, statusLine())).length;
  if (left === 0 || (!isRehearsal && remembered().hidden)) return;
  const link = byId('steps');
  link.hidden = false;
  link.replaceChildren(textElement('first.left', { count: left }));
}
