// Two workers serve. On the first TERM the primary disconnects them, which closes their servers, and it ends when both
// have ended. More of them change nothing.
const cluster = require('node:cluster');
const http = require('node:http');

if (cluster.isPrimary) {
  let listening = 0;
  let left = 2;
  let stopping = false;
  process.on('SIGTERM', () => {
    if (!stopping) cluster.disconnect();
    stopping = true;
  });
  cluster.on('listening', () => { if (++listening === 2) console.log('listening'); });
  cluster.on('exit', () => { if (--left === 0) process.exit(0); });
  cluster.fork();
  cluster.fork();
} else {
  process.on('SIGTERM', () => {});
  http.createServer((_, answer) => answer.end('hello\n')).listen(8080, '127.0.0.1');
}
