// Texts of the choices of a ticket's holder.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'ticket.sheet.let-pass': ['让后面的人先办', 'Let others go first'],
  'ticket.sheet.let-pass.text': ['您的位置保留，到时自动回到原位；最多 {minutes} 分钟。', 'Your place is kept, and you are back in it by itself: after {minutes} {minutes:minute|minutes} at the latest.'],
  'ticket.sheet.let-pass.others': ['让 {count} 位', 'Let {count} pass'],
  'ticket.sheet.let-pass.tap': ['我回来时再点', 'Until I say so'],
  'ticket.sheet.tell-me': ['什么时候提醒您？', 'When shall we remind you?'],
  'ticket.sheet.tell-me.text': ['叫到您时一定会通知；这里选的是提前的那一次。', 'You are always told when you are called. This is about the reminder before that.'],
  'ticket.sheet.tell-me.ahead': ['还剩 {count} 位时', 'With {count} ahead'],
  'ticket.sheet.tell-me.usual': ['按通常的：还剩 {count} 位时', 'As usual: with {count} ahead'],
  'ticket.sheet.leave': ['不排了？', 'Leave the line?'],
  'ticket.sheet.leave.text': ['{number} 号会作废，不能恢复。', 'Number {number} will be void. This cannot be undone.'],
  'ticket.sheet.leave.yes': ['确定，不排了', 'Yes, leave the line'],
});
