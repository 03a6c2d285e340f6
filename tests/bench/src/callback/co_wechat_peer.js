// Server of an account in plain mode as co-wechat's guide has it, on Koa: the signature is checked,
// the push is read, and a text goes back. It keeps nothing, so that every number is the same.
const cluster = require('node:cluster');
const wechat = require('co-wechat');
const Koa = require('koa');

const [port, token, workers] = process.argv.slice(2);

const reply = async () => '您的号码是 A007，前面还有 6 人。';

if (cluster.isPrimary) {
  // Node ends a worker with the first process, however that ends.
  for (let i = 0; i < Number(workers); i++) cluster.fork();
} else {
  const application = new Koa();
  application.use(wechat(token).middleware(reply));
  application.listen(Number(port), '127.0.0.1');
}
