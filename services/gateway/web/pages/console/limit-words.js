// Texts of the dialog that lifts a limit, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'console.limit': ['允许再取号', 'Let them take more'],
  'console.limit.how': ['手机或取号机显示已到每人每天的上限时，在这里输入这位顾客今天的任意一个号：今天可以再取这个业务的号', 'If their phone or the kiosk says that they have taken as many today as one person may, enter one of theirs of today: they may then take more of that service until the day ends'],
  'console.limit.number': ['这位顾客今天的号', 'A number of theirs today'],
  'console.limit.wanted': ['请输入号码', 'Please enter a number'],
  'console.done.limit': ['{number} 的顾客今天可以再取号', 'Whoever had {number} may take more today'],
});
