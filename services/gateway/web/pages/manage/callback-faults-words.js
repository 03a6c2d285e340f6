// Texts of the card of callbacks that were not acted on, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'manage.faults': ['没有处理的微信推送', 'Pushes that were not acted on'],
  'manage.faults.lead': ['最近一天，所有服务器合计', 'Within a day, at all servers together'],
  'manage.faults.partial': ['缓存没有响应：只是这一台服务器最近几秒的', 'The cache does not answer: only those of one server, of the last seconds'],
  'manage.faults.none': ['没有：微信的推送都处理了', 'None: every push of WeChat was acted on'],
  'manage.faults.last': ['最近一次', 'Last'],
  'manage.faults.since': ['从', 'since'],
  'manage.faults.again': ['刷新', 'Reload'],
});
