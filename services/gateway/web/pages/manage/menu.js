// Section of the account's menu: an editor with a preview, and the menu that WeChat has.
/** @import { SectionContext } from '../../shared/types' */
import './menu-words.js';
import { fetchJson } from '../../shared/http.js';
import { createElement } from '../../shared/dom.js';
import { setText, textElement, translations } from '../../shared/language.js';
import { copyOf, sameInBoth, selectField, textAreaField, textField } from './fields.js';
import { actionButton, confirmButton, statusLine } from './access.js';
import { menuPreview } from './menu-preview.js';

const MAX_BUTTONS = 3;
const MAX_ENTRIES = 5;
/** Longest names in bytes of UTF-8, of a button and of an entry below one. */
const NAME_BYTES = [16, 60];
const ACTIONS = ['take', 'my_ticket', 'let_pass', 'leave', 'hours', 'text', 'page', 'mini_program'];
/** Actions with values, as they begin. */
const EMPTY_VALUES = {
  take: {},
  text: '',
  page: 'https://',
  mini_program: { appid: '', path: '', url: 'https://' },
};

/** Sites of the account that was edited last, by id, and the menu that WeChat had for it. */
const loaded = { account: '', sites: null, menu: null };

const byteLength = text => new TextEncoder().encode(text).length;

/** The kind of an action: its name, or `heading` of a button with entries. */
const kindOf = item => {
  if (item.entries?.length) return 'heading';
  return typeof item.action === 'object' ? Object.keys(item.action)[0] : item.action;
};

/** A menu to begin with, named in the language of most customers. */
function usualButtons() {
  const name = key => translations(`menu.usual.${key}`)[0];
  const entry = action => ({ name: name(action), action });
  return [
    { name: name('take'), action: { take: {} } },
    { name: name('mine'), entries: ['my_ticket', 'let_pass', 'leave'].map(entry) },
    entry('hours'),
  ];
}

/**
 * Field of the queue in which a number is taken.
 * @param {string} key
 * @param {{ site?: string, queue?: string }} target
 * @param {Record<string, any>} sites of the account
 * @param {(target: object) => void} set
 */
function queueField(key, target, sites, set) {
  /** @type {[string, string[]][]} */
  const options = [['', translations('menu.queue.any')]];
  for (const [site, { name, queues }] of Object.entries(sites)) {
    options.push([site, translations('menu.queue.site', { site: name })]);
    for (const [queue, { name: queueName }] of Object.entries(queues)) {
      options.push([`${site}/${queue}`, sameInBoth(`${name} · ${queueName}`)]);
    }
  }
  const current = [target.site, target.queue].filter(Boolean).join('/');
  if (!options.some(([value]) => value === current)) options.push([current, sameInBoth(current)]);
  const labelled = options.map(([value, texts]) => [value, [...new Set(texts)]]);
  return selectField(
    key,
    translations('menu.queue'),
    current,
    /** @type {[string, string[]][]} */ (labelled),
    value => {
      const [site, queue] = value.split('/');
      set({ ...(site && { site }), ...(queue && { queue }) });
    },
  );
}

/**
 * Fields of an action's values.
 * @param {string} key
 * @param {any} item
 * @param {Record<string, any>} sites
 * @param {() => void} changed
 */
function valueFields(key, item, sites, changed) {
  const kind = kindOf(item);
  const set = value => {
    item.action = { [kind]: value };
    changed();
  };
  const address = { wide: true, attributes: { type: 'url', spellcheck: 'false' } };
  switch (kind) {
    case 'take':
      return [queueField(`${key}.take`, item.action.take, sites, set)];
    case 'text':
      return [
        textAreaField(`${key}.text`, translations('menu.text'), item.action.text, value =>
          set(value ?? ''),
        ),
      ];
    case 'page':
      return [textField(`${key}.page`, translations('menu.page'), item.action.page, set, address)];
    case 'mini_program':
      return ['appid', 'path', 'url'].map(name =>
        textField(
          `${key}.mini_program.${name}`,
          translations(`menu.${name}`),
          item.action.mini_program[name],
          value => set({ ...item.action.mini_program, [name]: value }),
          name === 'url' ? address : { attributes: { spellcheck: 'false' } },
        ),
      );
    default:
      return [];
  }
}

/** @param {SectionContext} context */
export function section({ account, draft, id, changed, redraw, withAuth, showStatus }) {
  account.buttons ??= [];
  const { buttons } = account;
  const preview = menuPreview();
  let sites = {};

  const update = () => {
    // A document without a menu is stored without the member.
    if (account.buttons?.length === 0) delete account.buttons;
    else account.buttons = buttons;
    preview.show(buttons);
    changed();
  };
  const rebuild = () => {
    account.buttons = buttons;
    if (buttons.length === 0) delete account.buttons;
    redraw();
  };

  /** Name field with the bytes that WeChat counts. */
  function nameField(key, item, limit) {
    const counter = createElement('span', { class: 'soft' });
    const count = () => {
      const used = byteLength(item.name);
      counter.classList.toggle('beyond', used > limit);
      setText(counter, 'menu.bytes', { used, limit });
    };
    const element = textField(`${key}.name`, translations('menu.name'), item.name, value => {
      item.name = value;
      count();
      update();
    });
    count();
    element.append(counter);
    return element;
  }

  function actionField(key, item, withHeading) {
    const kinds = withHeading ? ['heading', ...ACTIONS] : ACTIONS;
    /** @type {[string, string[]][]} */
    const options = kinds.map(kind => [kind, translations(`menu.action.${kind}`)]);
    const set = kind => {
      if (kind === 'heading') {
        delete item.action;
        item.entries = [{ name: '', action: 'my_ticket' }];
      } else {
        delete item.entries;
        item.action = kind in EMPTY_VALUES ? { [kind]: copyOf(EMPTY_VALUES[kind]) } : kind;
      }
      rebuild();
    };
    return selectField(`${key}.action`, translations('menu.action'), kindOf(item), options, set);
  }

  /** Buttons that move an item forward in its list, or take it out. */
  function itemButtons(list, index) {
    const earlier = actionButton('menu.earlier', async () => {
      list.splice(index - 1, 0, ...list.splice(index, 1));
      rebuild();
    });
    const remove = actionButton(
      'manage.remove',
      async () => {
        list.splice(index, 1);
        rebuild();
      },
      'ghost remove',
    );
    return createElement('div', { class: 'item-buttons' }, index > 0 && earlier, remove);
  }

  function addButton(key, list, limit, item) {
    if (list.length >= limit) return null;
    return actionButton(key, async () => {
      list.push(item);
      rebuild();
    });
  }

  function entryElement(entry, index, button, at) {
    const key = `${at}.entries.${index}`;
    const title = setText(createElement('h4'), 'menu.entry', { place: index + 1 });
    // A heading without entries is none.
    const list = button.entries;
    return createElement(
      'div',
      { class: 'menu-entry' },
      createElement('div', { class: 'name' }, title, list.length > 1 && itemButtons(list, index)),
      createElement(
        'div',
        { class: 'fields' },
        nameField(key, entry, NAME_BYTES[1]),
        actionField(key, entry, false),
        valueFields(`${key}.action`, entry, sites, update),
      ),
    );
  }

  function buttonElement(button, index) {
    const key = `buttons.${index}`;
    const title = setText(createElement('h3'), 'menu.button', { place: index + 1 });
    const isHeading = kindOf(button) === 'heading';
    return createElement(
      'div',
      { class: 'card' },
      createElement('div', { class: 'name' }, title, itemButtons(buttons, index)),
      createElement(
        'div',
        { class: 'fields' },
        nameField(key, button, NAME_BYTES[0]),
        actionField(key, button, true),
        isHeading ? [] : valueFields(`${key}.action`, button, sites, update),
      ),
      isHeading && button.entries.map((entry, at) => entryElement(entry, at, button, key)),
      isHeading &&
        addButton('menu.add.entry', button.entries, MAX_ENTRIES, { name: '', action: 'my_ticket' }),
    );
  }

  const editor = createElement('div', { class: 'place', id: 'menu-editor' });
  const renderEditor = () => {
    const usual = actionButton('menu.usual', async () => {
      buttons.push(...usualButtons());
      rebuild();
    });
    const adding = addButton('menu.add.button', buttons, MAX_BUTTONS, {
      name: '',
      action: { take: {} },
    });
    editor.replaceChildren(
      ...buttons.map(buttonElement),
      createElement('div', { class: 'adding' }, adding, buttons.length === 0 && usual),
    );
  };

  if (buttons.length === 0) delete account.buttons;
  preview.show(buttons);
  if (loaded.account !== draft.account) {
    Object.assign(loaded, { account: draft.account, sites: null, menu: null });
  }
  // Until the others are loaded, the queues of this site are offered.
  sites = { ...loaded.sites, [id]: draft };
  renderEditor();
  if (!loaded.sites) {
    loadSites(draft.account, withAuth).then(
      found => {
        loaded.sites = found;
        sites = { ...found, [id]: draft };
        if (Object.keys(sites).length > 1) renderEditor();
      },
      error => showStatus('refused', error.texts),
    );
  }

  return [
    wechatCard(draft.account, () => Boolean(document.getElementById('undo').hidden)),
    createElement(
      'div',
      { class: 'two' },
      editor,
      createElement(
        'div',
        { class: 'card menu-side', id: 'menu-preview' },
        setText(createElement('h3'), 'menu.preview'),
        preview.element,
      ),
    ),
  ];
}

/**
 * Sites of an account, by id.
 * @param {string} account
 * @param {(options: object) => any} withAuth
 */
async function loadSites(account, withAuth) {
  const { sites } = await fetchJson('/api/v1/book', withAuth({}));
  return Object.fromEntries(Object.entries(sites).filter(([, site]) => site.account === account));
}

/**
 * Card of the menu that WeChat has, with buttons that push the one that is set, or delete it.
 * @param {string} account
 * @param {() => boolean} isSaved
 */
function wechatCard(account, isSaved) {
  const { line, showStatus, request } = statusLine();
  const path = `/api/v1/accounts/${encodeURIComponent(account)}/menu`;
  const state = createElement('p', { class: 'menu-state' });
  const preview = menuPreview();
  const show = menu => {
    loaded.menu = menu;
    setText(state, `menu.state.${menu.state}`);
    state.dataset.state = menu.state;
    const isConsoles = menu.state === 'absent' && menu.shown?.open;
    if (isConsoles) state.append(' ', textElement('menu.console'));
    const buttons = isConsoles ? menu.shown.buttons : menu.buttons;
    // What is set is in the editor's own picture.
    preview.element.hidden = menu.state === 'current' || buttons.length === 0;
    preview.show(buttons);
  };
  const push = actionButton(
    'menu.push',
    async () => {
      if (!isSaved()) return showStatus('refused', textElement('menu.unsaved'));
      show(await request(path, { method: 'PUT' }));
      return showStatus('done', textElement('menu.pushed'));
    },
    'primary',
  );
  const remove = confirmButton('menu.delete', 'menu.delete.sure', account, async () => {
    show(await request(path, { method: 'DELETE' }));
    showStatus('done', textElement('menu.deleted'));
  });
  // While something is edited, the section is rendered often; what is saved may differ from WeChat's.
  const start = async () => show(loaded.menu && !isSaved() ? loaded.menu : await request(path));
  start().catch(() => {});
  return createElement(
    'div',
    { class: 'card', id: 'at-wechat' },
    setText(createElement('h3'), 'menu.wechat'),
    setText(createElement('p', { class: 'soft' }), 'menu.hidden'),
    state,
    preview.element,
    line,
    createElement('div', { class: 'adding' }, push, remove),
  );
}
