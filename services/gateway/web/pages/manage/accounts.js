// Section of the accounts: those of the configuration file, and those that are connected here.
import './accounts-words.js';
import { addressHints } from './address-hints.js';
import { newIdempotencyKey, serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translations } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { abilitiesCard } from './abilities.js';
import { actionButton, confirmButton, nameElement, statusLine } from './access.js';
import { callbackFaultsCard } from './callback-faults.js';
import { copyField } from './copy.js';
import { checkboxField, field, sameInBoth, selectField } from './fields.js';
import { testAccountGuide } from './test-account.js';

const ACCOUNTS = '/api/v1/accounts';
const LOOK_INTERVAL_MS = 3000; // while WeChat's verification is waited for
const MODES = ['secure', 'compatible', 'plain'];
const CHANNELS = ['stable', 'classic'];
const FIRST_ACCOUNT = 'shop';
/** Longest list below which the form is found without a link to it. */
const MAX_SEEN_AT_ONCE = 3;
/** Reasons of a failed fetch of a token that the owner corrects. */
const REASONS = [
  'wrong_secret',
  'wrong_appid',
  'address_not_listed',
  'secret_frozen',
  'daily_quota',
  'unreachable',
];

/**
 * Account, as the server shows it.
 * @typedef {object} Account
 * @property {string} account
 * @property {string} appid
 * @property {'file' | 'settings' | 'rehearsal'} source
 * @property {number} revision
 * @property {string} mode
 * @property {{ mode: string, until: number }} [former_mode]
 * @property {string} [token_channel]
 * @property {string | null} callback_url
 * @property {string} callback_path
 * @property {string[]} sites
 * @property {number | null} verified_at
 * @property {{ ok: boolean, at: number, reason?: string | null, detail?: string | null } | null} token
 */

/** @param {string} account */
const pathOf = account => `${ACCOUNTS}/${encodeURIComponent(account)}`;

/**
 * Input of one line that no browser remembers or corrects.
 * @param {object} attributes
 */
const plainInput = attributes =>
  createElement('input', {
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
    lang: 'en',
    ...attributes,
  });

/** Link to the form below a long list. */
function jumpLink() {
  const link = textElement('accounts.add', {}, 'a');
  link.className = 'button';
  link.href = '#connecting';
  // The address names the section, and stays.
  link.addEventListener('click', event => {
    event.preventDefault();
    document.getElementById('connecting')?.scrollIntoView();
  });
  return link;
}

/** Options of the choice of a mode. */
const modeOptions = () =>
  MODES.map(
    mode => /** @type {[string, string[]]} */ ([mode, translations(`accounts.mode.${mode}`)]),
  );

/** Options of the choice of an endpoint. */
const channelOptions = () =>
  CHANNELS.map(
    channel =>
      /** @type {[string, string[]]} */ ([channel, translations(`accounts.channel.${channel}`)]),
  );

/**
 * Light that says whether WeChat has verified the address.
 * @param {Account} account
 * @param {boolean} isAwaited
 */
function lightElement({ verified_at: at }, isAwaited = false) {
  const element = createElement('span', { class: 'light', 'data-state': at ? 'good' : 'unknown' });
  if (at) return setText(element, 'accounts.verified', { time: formatDateTime(at) });
  return isAwaited
    ? setText(element, 'accounts.verifying')
    : setText(element, 'accounts.unverified');
}

/**
 * Light that says whether appid and secret are right, with WeChat's words if they are not.
 * @param {Account} account
 * @param {number} since time of the change whose result is waited for; 0 for any
 */
function tokenElement({ token }, since = 0) {
  const known = token && token.at >= since;
  const element = createElement('span', { class: 'light', 'data-state': 'unknown' });
  if (!known) return setText(element, 'accounts.token.waiting');
  element.dataset.state = token.ok ? 'good' : 'bad';
  if (token.ok) return setText(element, 'accounts.token.ok', { time: formatDateTime(token.at) });
  const reason = REASONS.includes(token.reason || '') ? token.reason : 'other';
  return createElement(
    'span',
    {},
    setText(element, `accounts.token.${reason}`),
    createElement('br'),
    createElement('small', { class: 'soft', lang: 'en' }, token.detail || ''),
  );
}

/**
 * Creates the section. Without a site it stands on the page that chooses one.
 * @param {{ accountsChanged?: (accounts: Account[]) => void }} context
 */
export function section({ accountsChanged }) {
  const { line, showStatus, request } = statusLine();
  const list = createElement('ul', { class: 'rows', id: 'accounts' });
  const editor = createElement('div', { class: 'place', id: 'connecting' });
  const shown = createElement('div', { class: 'place', id: 'console-values' });
  let timer = 0;
  /** Name that the next account gets unless another is entered: one that a shop waits for. */
  let proposedName = '';

  async function renderAccounts() {
    /** @type {Account[]} */
    const accounts = await request(ACCOUNTS);
    // What needs somebody comes first.
    const rank = ({ token }) => Number(token?.ok !== false);
    accounts.sort((one, other) => rank(one) - rank(other));
    /** @type {{ account: string }[]} */
    const sites = await request('/api/v1/book/sites');
    const isKnown = name => accounts.some(({ account }) => account === name);
    const waiting = sites.find(({ account }) => !isKnown(account));
    proposedName = waiting?.account ?? (accounts.length ? '' : FIRST_ACCOUNT);
    list.replaceChildren(
      ...(accounts.length > MAX_SEEN_AT_ONCE ? [createElement('li', {}, jumpLink())] : []),
      ...(accounts.length
        ? accounts.map(accountRow)
        : [createElement('li', {}, textElement('accounts.none'))]),
    );
    return accounts;
  }

  /** @param {Account} account */
  function accountRow(account) {
    const { former_mode: former } = account;
    const notes = [
      textElement(`accounts.mode.${account.mode}`),
      former && textElement('accounts.mode.former', { time: formatDateTime(former.until) }),
      account.sites.length > 0 &&
        textElement('accounts.sites', { sites: account.sites.join(', ') }),
      account.source !== 'settings' && textElement(`accounts.${account.source}`),
    ].filter(Boolean);
    const row = createElement(
      'li',
      { class: 'one', 'data-account': account.account },
      createElement(
        'span',
        {},
        nameElement(account.account),
        ' ',
        createElement('code', { translate: 'no' }, account.appid),
        createElement('br'),
        lightElement(account),
        createElement('br'),
        account.token && tokenElement(account),
        account.token && createElement('br'),
        createElement(
          'small',
          { class: 'soft' },
          notes.flatMap((note, index) => (index ? [' · ', note] : [note])),
        ),
      ),
      account.source !== 'rehearsal' &&
        createElement(
          'span',
          { class: 'item-buttons' },
          actionButton('accounts.abilities', async () => {
            row.querySelector('.abilities')?.remove();
            row.append(abilitiesCard(account.account, true));
          }),
          account.source === 'settings' &&
            actionButton('accounts.change', async () => renderEditor(account)),
          account.source === 'settings' &&
            confirmButton('accounts.retire', 'accounts.retire.sure', account.account, async () => {
              await request(pathOf(account.account), {
                method: 'DELETE',
                headers: { 'if-match': `"${account.revision}"` },
              });
              showStatus(
                'done',
                nameElement(account.account),
                ' ',
                textElement('accounts.retired'),
              );
              accountsChanged?.(await renderAccounts());
            }),
        ),
    );
    return row;
  }

  /**
   * Form of a new account, or of the secrets of one.
   * @param {Account | null} account
   */
  function renderEditor(account) {
    const name = plainInput({
      pattern: '[a-z0-9\\-]{1,24}',
      maxlength: 24,
      required: true,
      value: proposedName,
    });
    const appid = plainInput({ maxlength: 32, required: true, value: account?.appid ?? '' });
    const secret = plainInput({ type: 'password', maxlength: 64, required: !account });
    secret.autocomplete = 'new-password';
    const chosen = {
      mode: account?.mode ?? 'secure',
      token_channel: account?.token_channel ?? 'stable',
    };
    const renew = new Set();
    const renewBox = what =>
      checkboxField(translations(`accounts.renew.${what}`), false, on =>
        on ? renew.add(what) : renew.delete(what),
      );
    let idempotencyKey = newIdempotencyKey(); // until the request was answered
    const save = async () => {
      if (![name, appid, secret].every(input => !input.isConnected || input.reportValidity())) {
        return;
      }
      const id = account?.account ?? name.value;
      let result;
      try {
        result = await request(pathOf(id), {
          method: 'PUT',
          body: {
            appid: appid.value.trim(),
            ...(secret.value && { secret: secret.value.trim() }),
            ...chosen,
            renew: [...renew],
          },
          headers: {
            'idempotency-key': idempotencyKey,
            ...(account && { 'if-match': `"${account.revision}"` }),
          },
        });
      } catch (error) {
        if (!error.retryable) idempotencyKey = newIdempotencyKey();
        throw error;
      }
      showStatus('done', nameElement(id), ' ', textElement('accounts.saved'));
      const hasNewSecret = Boolean(secret.value);
      renderEditor(null);
      showConsoleValues(result, chosen.mode, hasNewSecret);
      accountsChanged?.(await renderAccounts());
    };
    const modeField = selectField(
      'account.mode',
      translations('accounts.mode'),
      chosen.mode,
      modeOptions(),
      value => {
        chosen.mode = value;
      },
    );
    const choosePlain = () => {
      chosen.mode = 'plain';
      modeField.querySelector('select').value = 'plain';
    };
    const cancel = actionButton('accounts.cancel', async () => renderEditor(null));
    const secretLabel = account ? translations('accounts.secret.keep') : sameInBoth('AppSecret');
    editor.replaceChildren(
      createElement(
        'form',
        { class: 'card', autocomplete: 'off' },
        account
          ? createElement('h3', {}, nameElement(account.account))
          : textElement('accounts.add', {}, 'h3'),
        createElement(
          'div',
          { class: 'fields' },
          !account && field('account.name', translations('accounts.name'), name),
          !account && field('account.appid', sameInBoth('AppID'), appid),
          field('account.secret', secretLabel, secret),
          modeField,
          selectField(
            'account.token_channel',
            translations('accounts.channel'),
            chosen.token_channel,
            channelOptions(),
            value => {
              chosen.token_channel = value;
            },
          ),
        ),
        !account && testAccountGuide(choosePlain),
        account &&
          createElement('div', { class: 'ticks' }, renewBox('callback_token'), renewBox('aes_key')),
        createElement(
          'div',
          { class: 'adding' },
          actionButton(account ? 'accounts.save' : 'accounts.connect', save, 'primary'),
          account && cancel,
        ),
      ),
    );
    // The button saves; a line feed in a field does not.
    editor.firstElementChild.addEventListener('submit', event => event.preventDefault());
    if (account) secret.focus();
  }

  /**
   * Card with what is entered in WeChat's console, and lights for its verification and the secret.
   * @param {any} result
   * @param {string} mode
   * @param {boolean} hasNewSecret
   */
  function showConsoleValues(result, mode, hasNewSecret) {
    const { account, callback_url: url, callback_token: token, aes_key: key } = result;
    const light = createElement('p', { role: 'status' });
    const abilities = createElement('div');
    const since = serverNow() - LOOK_INTERVAL_MS;
    const isNewToken = Boolean(token || key);
    const hide = () => {
      clearTimeout(timer);
      shown.replaceChildren();
    };
    const look = async () => {
      clearTimeout(timer);
      if (!light.isConnected) return;
      const current = await request(pathOf(account));
      // What was verified or fetched before may have been with the former values.
      const isVerified = !isNewToken || current.verified_at >= since;
      const shownAccount = isVerified ? current : { ...current, verified_at: null };
      light.replaceChildren(
        ...(isNewToken ? [lightElement(shownAccount, true), createElement('br')] : []),
        tokenElement(current, hasNewSecret ? since : 0),
      );
      const hasToken = current.token?.ok && (!hasNewSecret || current.token.at >= since);
      if (hasToken && !abilities.firstChild) abilities.append(abilitiesCard(account, true));
      if (isVerified && hasToken) {
        accountsChanged?.(await renderAccounts());
      } else {
        timer = setTimeout(() => look().catch(() => {}), LOOK_INTERVAL_MS);
      }
    };
    shown.replaceChildren(
      createElement(
        'div',
        { class: 'card secret' },
        textElement('accounts.console', {}, 'h3'),
        copyField('url', translations('accounts.url'), url || `https://…/wechat/${account}`),
        !url && setText(createElement('p', { class: 'soft' }), 'accounts.no-url'),
        url && addressHints(url),
        token && copyField('callback_token', translations('accounts.token'), token),
        // In plain mode nothing asks for a key, and a test account's page has no field for one.
        key && mode !== 'plain' && copyField('aes_key', translations('accounts.aes'), key),
        setText(createElement('p'), `accounts.choose.${mode}`),
        isNewToken && setText(createElement('p', { class: 'soft' }), 'accounts.once'),
        light,
        createElement(
          'div',
          { class: 'adding' },
          actionButton('accounts.kept', async () => hide()),
        ),
      ),
      callbackFaultsCard(account),
      abilities,
    );
    look().catch(() => {});
  }

  const start = async () => {
    const accounts = await renderAccounts();
    // In a rehearsal WeChat is simulated, and no real account stands beside it.
    if (!accounts.some(({ source }) => source === 'rehearsal')) renderEditor(null);
  };
  start().catch(() => {});
  return [line, createElement('div', { class: 'card' }, list), shown, editor];
}
