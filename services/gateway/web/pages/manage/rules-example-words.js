// Texts of the example of a queue's rules, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'example.title': ['这样的规则会怎样', 'What these rules do'],
  'example.missed': ['{number} 叫到没来，一分钟后回来：接着叫', '{number} does not come, and is back a minute later. Called from then on:'],
  'example.void': ['{number} 叫到没来就作废，回来也不再叫：接着叫', '{number} does not come, and is not called any more. Called from then on:'],
  'example.no-miss': ['叫到就算开始办理，不会过号', 'A call is the beginning of the service, so nobody can miss one'],
  'example.priority': ['4 个号在等，后来 6 个优先的号（深色）：叫号顺序', 'Four wait, and six with priority (dark) come after them. The order of the calls:'],
  'example.wait': ['前面 6 位、窗口全开时，告诉顾客要等 {from}–{to} 分钟', 'With six ahead and every counter open, a customer is told {from}–{to} minutes'],
  'example.near': ['前面还有 {near} 位时提醒一次', 'Told to come near with {near} ahead'],
});
