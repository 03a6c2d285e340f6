// Checks a page in its current state by the rules of WCAG 2.2 AA that a program can judge. Returns
// a sentence for each violation.
const findings = [];
const say = (what, element) => findings.push(`${what}: ${element.outerHTML.slice(0, 140)}`);
const style = element => getComputedStyle(element);
const seen = element => {
  const { width, height } = element.getBoundingClientRect();
  return width > 0 && height > 0 && element.checkVisibility({ visibilityProperty: true });
};
// Elements behind an open dialog cannot be reached, and are not checked.
const modal = document.querySelector('dialog:modal');
const all = [...(modal || document.body).querySelectorAll('*')].filter(seen);
const byEar = element => element.closest('.sr') !== null;

// Names.
const text = id => document.getElementById(id)?.textContent || '';
const name = element => (element.getAttribute('aria-label')
  || (element.getAttribute('aria-labelledby') || '').split(/\s+/).map(text).join('')
  || element.getAttribute('alt') || [...(element.labels || [])].map(label => label.textContent).join('')
  || (element.matches('input') ? '' : element.textContent) || element.title).trim();
// Elements behind an open dialog are out of reach on purpose.
const dialog = document.querySelector('dialog:modal');
const reachable = element => !dialog || dialog.contains(element);
const controls = all.filter(reachable).filter(element => element.matches('button, a[href], input, select, textarea, summary, [role=button], [tabindex]'));
for (const control of controls) if (!name(control)) say('has no name', control);
for (const field of all.filter(element => element.matches('input, select, textarea'))) {
  if (!field.labels.length && !field.ariaLabel) say('has no label', field);
}
for (const picture of all.filter(element => element.matches('img, [role=img]'))) {
  if (!name(picture) && picture.getAttribute('alt') !== '') say('says nothing of what it shows', picture);
}
const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) findings.push(`two elements are ${id}`);

// Two buttons of a dialog with one word are two meanings of it; rows of a list repeat theirs.
const word = control => {
  const copy = control.cloneNode(true);
  for (const other of copy.querySelectorAll('small, kbd')) other.remove();
  return copy.textContent.trim();
};
for (const button of modal ? all.filter(element => element.matches('button')) : []) {
  const row = button.closest('li');
  const beside = other => other !== button && (!other.closest('li') || other.closest('li') === row);
  const twin = all.find(other => other.matches('button') && beside(other) && word(other) === word(button));
  if (twin) say('two buttons of one dialog have the same word', button);
}

// Structure.
const count = css => all.filter(element => element.matches(css)).length;
if (!modal && count('main') !== 1) findings.push(`${count('main')} main parts`);
if (!modal && count('h1') !== 1) findings.push(`${count('h1')} first headings`);
if (!document.title.trim()) findings.push('the page has no title');
let level = modal ? 1 : 0;
for (const heading of all.filter(element => /^H[1-6]$/.test(element.tagName))) {
  const own = Number(heading.tagName[1]);
  if (own > level + 1) say(`a heading of level ${own} after one of ${level}`, heading);
  if (!heading.textContent.trim()) say('an empty heading', heading);
  level = own;
}
const scale = document.querySelector('meta[name=viewport]')?.content || '';
if (/user-scalable *= *(no|0)|maximum-scale/.test(scale)) findings.push('the page cannot be enlarged');

// Texts: language, place, contrast.
const numbers = colour => colour.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
const rgba = colour => {
  const [r, g, b, a = 1] = numbers(colour);
  return colour.startsWith('color(') ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
};
const chain = element => (element ? [...chain(element.parentElement), element] : []);
const solid = element => chain(element).reduce((opacity, one) => opacity * Number(style(one).opacity), 1);
// What fades in or out has the one contrast no more, and the other not yet.
const fades = element => chain(element).some(one => one.getAnimations().some(
  change => change instanceof CSSTransition && change.transitionProperty === 'opacity' && change.playState === 'running'));
const over = ([r, g, b, a], below) => [r, g, b].map((part, i) => part * a + below[i] * (1 - a));
const paper = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
const behind = element => chain(element).reduce((below, one) => {
  const [r, g, b, a] = rgba(style(one).backgroundColor);
  return over([r, g, b, a * solid(one)], below);
}, paper);
const light = parts => {
  const [r, g, b] = parts.map(part => part / 255).map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
};
const main = document.documentElement.lang;
if (!/^(zh|en)/.test(main)) findings.push(`the page's language is "${main}"`);
for (const element of all) {
  const own = [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.data).join('').trim();
  if (!own || element.matches('script, style, noscript')) continue;
  // A text that is not to be translated may explain placeholders.
  const isMissing = /\b(undefined|null|NaN)\b|\[object |–––/.test(own) || element.translate && /\{\w+[}:]/.test(own);
  if (isMissing) say('a value is missing', element);
  if (/(^|[^\d.,–-])1 (people|persons|minutes|hours|days|numbers|places|times)\b/.test(own)) say('one of many', element);
  const language = element.closest('[lang]').lang;
  const chinese = /[\u3400-\u9fff]/.test(own);
  if (chinese && language.startsWith('en')) say('Chinese that calls itself English', element);
  if (!chinese && /[A-Za-z]{3,}/.test(own) && language.startsWith('zh') && element.translate) say('English that calls itself Chinese', element);
  if (!element.closest('header, main, footer, nav, aside, dialog, [role=status], [role=alert], [role=dialog]')) say('text in no landmark', element);
  if (byEar(element) || fades(element) || element.closest(':disabled')) continue;
  const { color, fontSize, fontWeight, backgroundImage } = style(element);
  if (backgroundImage !== 'none') say('text on a picture, which this cannot judge', element);
  const [r, g, b, a] = rgba(color);
  const below = behind(element);
  const ratio = contrast(over([r, g, b, a * solid(element)], below), below);
  const size = parseFloat(fontSize);
  const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
  if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)} at ${size}px`, element);
  // A sheet of paper is not read at the size in which the screen shows it.
  if (size < 12 && !element.closest('.sheet')) say(`letters of ${size}px`, element);
}

// Controls under fingers and keys.
const before = document.activeElement;
for (const control of controls.filter(element => !element.disabled)) {
  const { width, height } = control.getBoundingClientRect();
  const inSentence = style(control).display === 'inline' && control.parentElement.textContent.trim() !== control.textContent.trim();
  if (!inSentence && (width < 24 || height < 24)) say(`a target of ${width} by ${height}`, control);
  if (control.matches('input') && contrast(rgba(style(control).borderTopColor), behind(control.parentElement)) < 3) say('an edge that is hard to see', control);
  control.focus({ preventScroll: true });
  const { outlineStyle, outlineWidth, outlineColor } = style(control);
  if (document.activeElement !== control) say('cannot be reached by keys', control);
  else if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) say('does not show that it has the focus', control);
  else if (contrast(rgba(outlineColor), behind(control.parentElement)) < 3) say('shows its focus too faintly', control);
}
document.activeElement?.blur();
before?.focus({ preventScroll: true });
return findings;
