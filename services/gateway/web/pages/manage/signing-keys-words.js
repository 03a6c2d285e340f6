// Texts of the section of the keys that sign logins, added to those of all pages.
import { WORDS } from '../../shared/words.js';

Object.assign(WORDS, {
  'signing.none': ['还没有密钥：第一次登录时自动生成', 'No key yet: the first login makes one'],
  'signing.active': ['正在使用', 'signs now'],
  'signing.next': ['{time} 起使用', 'signs from {time}'],
  'signing.former': ['不再使用，还能验证', 'signs no longer, still verifies'],
  'signing.made': ['{time} 生成，已有 {count} 天', 'made {time}, {count} {count:day|days} old'],
  'signing.until': ['自动更换：{time}', 'replaced by itself: {time}'],
  'signing.replaced': ['{time} 被下一个代替', 'replaced by the next one: {time}'],
  'signing.rotate': ['更换密钥', 'Change the key'],
  'signing.rotate.lead': ['密钥每 90 天自动更换。现在更换：新密钥立即公布，一天后使用，旧的再保留一天；其他网站不受影响。', 'Keys change by themselves every 90 days. Changed now, the new key is published at once and signs a day later, and the old one verifies for a day more: other sites notice nothing.'],
  'signing.rotate.sure': ['再按一次：更换密钥', 'Press again to change the key'],
  'signing.rotated': ['下一个密钥已公布，一天后使用', 'The next key is published, and signs a day later'],
  'signing.waiting': ['最新的密钥还不到一天，不会再生成', 'The newest key is less than a day old; no other one is made'],
  'signing.revoke': ['紧急吊销', 'Revoke'],
  'signing.revoke.title': ['紧急吊销', 'In an emergency'],
  'signing.revoke.lead': ['只在密钥可能泄露时用。它签过的登录立即作废，另一个密钥接替；其他网站最多十分钟后知道，其间登录的人要再登录。', 'Only if a key may have leaked. What it signed is good no longer, another key signs; other sites know within ten minutes, and who logs in there meanwhile does so again.'],
  'signing.revoke.sure': ['再按一次：吊销 {name}，不能撤销', 'Press again to revoke {name} for good'],
  'signing.revoked': ['已吊销，另一个密钥立即接替', 'is revoked, and another key signs'],
});
