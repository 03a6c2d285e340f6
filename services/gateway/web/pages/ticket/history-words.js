// Texts of what happened to a ticket.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'ticket.move.priority': ['来了一位优先的客人，您前面多 {count} 位', 'A guest with priority came: {count} more ahead of you'],
  'ticket.move.return': ['有一位过号的客人回来了，您前面多 {count} 位', 'A guest who had been missed is back: {count} more ahead of you'],
  'ticket.move.transfer': ['有一位客人从别的业务转来，您前面多 {count} 位', 'A guest came from another service: {count} more ahead of you'],
  'ticket.move.hold': ['有一位客人暂离，您前面少 {count} 位', 'A guest stepped out: {count} fewer ahead of you'],
  'ticket.move.resume': ['暂离的客人回到原位，您前面多 {count} 位', 'A guest who had stepped out is back in place: {count} more ahead of you'],
  'ticket.move.out_of_order': ['窗口先叫了后面的一位客人，您的位置不变', 'A guest behind you was called first; your place is the same'],
  'ticket.move.taken_back': ['一次叫号被撤回，您前面多 {count} 位', 'A call was taken back: {count} more ahead of you'],
  'ticket.own.priority': ['您的优先级已调整', 'Your priority was changed'],
  'ticket.own.return': ['您过号后回来，重新排队', 'You are back in the line after a missed call'],
  'ticket.own.transfer': ['您已转到现在的业务', 'You were sent on to this service'],
  'ticket.own.hold': ['您的号暂时离队，位置保留', 'Your number left the line for a while; its place is kept'],
  'ticket.own.resume': ['您回到原来的位置', 'You are back in your place'],
  'ticket.own.out_of_order': ['您被提前叫到', 'You were called before your turn'],
  'ticket.own.taken_back': ['叫号已更正，您回到原位', 'The call was corrected: you are back in your place'],
});
