// Texts of the doctor's section and of its light, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'doctor.examined': ['检查于 {time}', 'Checked at {time}'],
  'doctor.running': ['正在检查，最多一分钟', 'Checking, for up to a minute'],
  'doctor.again': ['重新检查', 'Check again'],
  'doctor.failed': ['没能检查', 'The check could not be made'],
  'doctor.level.ok': ['好', 'Fine'],
  'doctor.level.warning': ['注意', 'Note'],
  'doctor.level.bad': ['不行', 'Wrong'],
  'doctor.summary.ok': ['一切正常', 'Everything works'],
  'doctor.summary.warning': ['{count} 项要注意', '{count} {count:thing|things} to note'],
  'doctor.summary.bad': ['{count} 项不行', '{count} {count:thing is|things are} wrong'],
  'doctor.about.wechat': ['微信', 'WeChat'],
  'doctor.about.gateway': ['网关', 'Gateway'],
  'doctor.about.ledger': ['账本', 'Ledger'],
  'doctor.about.cache': ['缓存', 'Cache'],
  'doctor.about.configuration': ['配置', 'Configuration'],
  'doctor.fine': ['正常的 {count} 项', '{count} {count:check|checks} without a finding'],
});
