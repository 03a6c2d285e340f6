// Elements of the page.
/** @import { Child } from './types' */

/**
 * The page's element with this id. Its kind is known to the page, not to the type checker.
 * @param {string} id
 * @returns {any}
 */
export const byId = id => document.getElementById(id);

/**
 * Creates an element with attributes (event handlers where the name begins with "on") and children.
 * Attributes that are `false`, `null` or `undefined`, and such children, are left out.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} attributes
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function createElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(
    .../** @type {(Node | string)[]} */ (
      children.flat().filter(child => child != null && child !== false)
    ),
  );
  return element;
}
