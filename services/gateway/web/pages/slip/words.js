// Texts of the slip, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'slip.title': ['小票', 'Slip'],
  'slip.number': ['您的号码', 'Your number'],
  'slip.ahead': ['前面 {count} 位', '{count} ahead of you'],
  'slip.first': ['前面没有人', 'You are next'],
  'slip.minutes': ['{time} 预计还要 {low}–{high} 分钟', 'about {low}–{high} min from {time}'],
  'slip.minutes.short': ['{time} 预计不到 5 分钟', 'under 5 min from {time}'],
  'slip.minutes.long': ['{time} 预计 60 分钟以上', 'over an hour from {time}'],
  'slip.state.called': ['已叫号，请到', 'Called, please go to'],
  'slip.state.serving': ['正在办理', 'Being served'],
  'slip.state.held': ['暂时离队，位置保留', 'Out of the line; the place is kept'],
  'slip.state.missed': ['已过号，请问工作人员', 'Missed; please ask the staff'],
  'slip.state.done': ['已完成', 'Done'],
  'slip.state.closed': ['已作废', 'Void'],
  'slip.queue.halted': ['现在暂停叫号', 'Nobody is called for now'],
  'slip.queue.closed': ['这个业务已停止，位置还在', 'This service is closed; the place is kept'],
  'slip.scan': ['扫码看进度', 'Scan to follow'],
  'slip.watch': ['请看大屏，听叫号', 'Please watch the board'],
  'slip.print': ['打印', 'Print'],
});
