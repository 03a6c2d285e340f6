// Texts of the section of dead letters, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'manage.letters.none': ['没有未送达的消息', 'Everything was delivered'],
  'manage.letters.minutes': ['{count} 分钟前', '{count} min ago'],
  'manage.letters.hours': ['{count} 小时前', '{count} h ago'],
  'manage.letters.attempts': ['尝试 {count} 次', 'tried {count} {count:time|times}'],
  'manage.letters.redrive': ['重发', 'Send again'],
  'manage.letters.redrive.all': ['全部重发', 'Send all again'],
  'manage.letters.drop': ['不再发送', 'Drop'],
  'manage.letters.redriven': ['{by} 已重发（{time}）', '{by} had it sent again ({time})'],
  'manage.letters.dropped': ['{by} 已放弃（{time}）', '{by} dropped it ({time})'],
  'manage.letters.more': ['更早的', 'Older'],
});
