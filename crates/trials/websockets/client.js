// Clients of npm's `ws`: each case is one line, `ok NAME` or `FAIL NAME: why`.
'use strict';
const { WebSocket } = require('ws');

const [base, suite] = process.argv.slice(2);
let failed = false;

const cases = {
  async 'the handshake is untouched'() {
    const socket = await open('head', { origin: 'https://page.example', headers: { Host: 'chat.example' } });
    const head = JSON.parse(await ask(socket, '/head'));
    same(head.host, 'chat.example');
    same(head.origin, 'https://page.example');
    socket.close();
  },
  async 'text'() {
    const socket = await open('text');
    same(await ask(socket, 'Grüße'), 'Grüße');
    socket.close();
  },
  async '1 MiB binary'() {
    await binary(await open('binary', { perMessageDeflate: false }), '');
  },
  async '1 MiB binary, permessage-deflate'() {
    await binary(await open('deflate'), 'permessage-deflate');
  },
  async 'fragments to the server'() {
    const socket = await open('fragments-up');
    const answer = next(socket);
    socket.send('a', { fin: false });
    socket.ping('between');
    socket.send('b', { fin: false });
    socket.send('c', { fin: true });
    same((await answer).toString(), 'abc');
    socket.close();
  },
  async 'fragments to the client'() {
    const socket = await open('fragments-down');
    same(await ask(socket, '/fragments'), 'one two three');
    socket.close();
  },
  async 'ping to the server'() {
    const socket = await open('ping-up');
    const pong = once(socket, 'pong');
    socket.ping('hello');
    same((await pong)[0].toString(), 'hello');
    socket.close();
  },
  async 'ping to the client'() {
    const socket = await open('ping-down');
    same(await ask(socket, '/ping there'), 'pong there');
    socket.close();
  },
  async 'close by the client'() {
    const socket = await open('close-up');
    const end = once(socket, 'close');
    socket.close(4001, 'enough');
    same((await end)[0], 4001);
    const other = await open('close-up-seen');
    await until(async () => (await ask(other, '/closed close-up')) === '4001 enough');
    other.close();
  },
  async 'close by the server'() {
    const socket = await open('close-down');
    const end = once(socket, 'close');
    socket.send('/close 4002 that is all');
    const [code, reason] = await end;
    same(`${code} ${reason}`, '4002 that is all');
  },
};

const special = {
  idle: {
    async 'an idle tunnel is closed at its timeout'() {
      const socket = await open('idle', { autoPong: true });
      const began = Date.now();
      same((await once(socket, 'close'))[0], 1006);
      const idle = Date.now() - began;
      if (idle < 1900 || idle > 4000) throw new Error(`after ${idle} ms`);
    },
  },
  heartbeat: {
    async 'a heartbeat keeps an idle tunnel'() {
      const socket = await open('heartbeat');
      let pings = 0;
      socket.on('ping', () => pings++);
      await new Promise((resolve) => setTimeout(resolve, 5000));
      if (pings < 3) throw new Error(`${pings} pings`);
      same(await ask(socket, 'still here'), 'still here');
      socket.close();
    },
  },
  drain: {
    async 'a stop says 1001'() {
      const socket = await open('drain');
      same(await ask(socket, 'ready'), 'ready');
      const end = once(socket, 'close');
      process.stdout.write('drain\n');
      same((await end)[0], 1001);
    },
  },
};

function open(token, options = {}) {
  const socket = new WebSocket(`${base}?token=${token}`, options);
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
  });
}

function once(socket, event) {
  return new Promise((resolve) => socket.once(event, (...values) => resolve(values)));
}

const next = async (socket) => (await once(socket, 'message'))[0];

async function ask(socket, text) {
  const answer = next(socket);
  socket.send(text);
  return (await answer).toString();
}

async function binary(socket, extension) {
  const data = Buffer.alloc(1 << 20, 'Evenkeel ').map((byte, place) => byte ^ (place >> 12));
  const answer = next(socket);
  socket.send(data);
  if (!data.equals(await answer)) throw new Error('other bytes came back');
  same(socket.extensions, extension);
  socket.close();
}

function same(actual, expected) {
  if (actual !== expected) throw new Error(`${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`);
}

async function until(condition) {
  for (let tries = 0; tries < 200; tries++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('waited in vain');
}

(async () => {
  for (const [name, run] of Object.entries(suite === 'all' ? cases : special[suite])) {
    const patience = new Promise((_, reject) => setTimeout(() => reject(new Error('no end within 15 s')), 15000));
    try {
      await Promise.race([run(), patience]);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      console.log(`FAIL ${name}: ${error.message}`);
    }
  }
  process.exit(failed ? 1 : 0);
})();
