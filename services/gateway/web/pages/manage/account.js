// Section of the WeChat account's texts and templates.
/** @import { SectionContext } from '../../shared/types' */
import { createElement } from '../../shared/dom.js';
import { translations, setText } from '../../shared/language.js';
import { textField, linesField, textAreaField } from './fields.js';

/**
 * Section of the account: its answers, and the ids and fields of its templates.
 * @param {SectionContext} context
 */
export function section({ account: draft, changed }) {
  const set = name => value => {
    if (value == null) delete draft[name];
    else draft[name] = value;
    changed();
  };
  const kinds = ['called', 'missed', 'progress'].map(kind => {
    const template = draft[kind] || { template_id: '', fields: {} };
    const setTemplate = name => value => {
      template[name] = value;
      if (value == null) delete template[name];
      draft[kind] = template;
      changed();
    };
    const rows = Object.entries(template.fields).map(([key, wording]) => `${key} = ${wording}`);
    const fields = value =>
      setTemplate('fields')(
        Object.fromEntries(
          value
            .map(line => line.split(/\s*=\s*(.*)/s).slice(0, 2))
            .map(([key, wording]) => [key, wording ?? '']),
        ),
      );
    return createElement(
      'div',
      { class: 'card' },
      setText(createElement('h3'), `manage.account.${kind}`),
      textField(
        `${kind}.template_id`,
        translations('manage.template'),
        template.template_id,
        setTemplate('template_id'),
        { wide: true, attributes: { spellcheck: 'false' } },
      ),
      linesField(`${kind}.fields`, translations('manage.fields'), rows, fields, {
        hint: translations('manage.fields.form'),
      }),
      textAreaField(
        `${kind}.text`,
        translations('manage.text'),
        template.text,
        setTemplate('text'),
      ),
    );
  });
  return [
    createElement(
      'div',
      { class: 'card' },
      textAreaField('greeting', translations('manage.greeting'), draft.greeting, set('greeting')),
      textAreaField('failure', translations('manage.failure'), draft.failure, set('failure')),
    ),
    ...kinds,
  ];
}
