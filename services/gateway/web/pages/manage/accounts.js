// Section of the accounts: those of the configuration file, and those that are connected here.
import './accounts-words.js';
import { addressHints } from './address-hints.js';
import { newIdempotencyKey, serverNow } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translations } from '../../shared/language.js';
import { formatDateTime } from '../../shared/format.js';
import { actionButton, confirmButton, nameElement, statusLine } from './access.js';
import { callbackFaultsCard } from './callback-faults.js';
import { checkboxField, field, sameInBoth, selectField } from './fields.js';

const ACCOUNTS = '/api/v1/accounts';
const LOOK_INTERVAL_MS = 3000; // while WeChat's verification is waited for
const MODES = ['secure', 'compatible', 'plain'];
const CHANNELS = ['stable', 'classic'];
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
 * @property {'file' | 'settings'} source
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
 * Value with a button that copies it.
 * @param {string} name
 * @param {import('../../shared/types').Texts} label
 * @param {string} value
 */
function copyField(name, label, value) {
  const input = plainInput({ readonly: true, value, class: 'made', translate: 'no' });
  input.addEventListener('focus', () => input.select());
  const button = actionButton('accounts.copy', async () => {
    input.select();
    // Pages without https have no clipboard; there the text is selected.
    await navigator.clipboard?.writeText(value);
    setText(button, 'accounts.copied');
  });
  const element = field(name, label, input, { wide: true });
  element.append(button);
  return element;
}

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

  async function renderAccounts() {
    /** @type {Account[]} */
    const accounts = await request(ACCOUNTS);
    list.replaceChildren(
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
      account.source === 'file' && textElement('accounts.file'),
    ].filter(Boolean);
    return createElement(
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
      account.source === 'settings' &&
        createElement(
          'span',
          { class: 'item-buttons' },
          actionButton('accounts.change', async () => renderEditor(account)),
          confirmButton('accounts.retire', 'accounts.retire.sure', account.account, async () => {
            await request(pathOf(account.account), {
              method: 'DELETE',
              headers: { 'if-match': `"${account.revision}"` },
            });
            showStatus('done', nameElement(account.account), ' ', textElement('accounts.retired'));
            accountsChanged?.(await renderAccounts());
          }),
        ),
    );
  }

  /**
   * Form of a new account, or of the secrets of one.
   * @param {Account | null} account
   */
  function renderEditor(account) {
    const name = plainInput({ pattern: '[a-z0-9\\-]{1,24}', maxlength: 24, required: true });
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
          selectField(
            'account.mode',
            translations('accounts.mode'),
            chosen.mode,
            modeOptions(),
            value => {
              chosen.mode = value;
            },
          ),
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
      if (isVerified && current.token?.ok && (!hasNewSecret || current.token.at >= since)) {
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
        key && copyField('aes_key', translations('accounts.aes'), key),
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
    );
    look().catch(() => {});
  }

  const start = async () => {
    await renderAccounts();
    renderEditor(null);
  };
  start().catch(() => {});
  return [line, createElement('div', { class: 'card' }, list), shown, editor];
}
