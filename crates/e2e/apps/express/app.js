// A shop whose state is in the session of express-session.
'use strict';
const { randomInt } = require('node:crypto');
const express = require('express');
const session = require('express-session');

const { APP_NAME: name, APP_PORT: port, APP_STORE: kind, APP_STORE_AT: at } = process.env;

async function store() {
  if (kind === 'memcached') {
    const Memcached = require('connect-memcached')(session);
    // A dead server is tried again at once: what happens then is up to the store.
    return new Memcached({ hosts: [at], retries: 1, failures: 1000000, timeout: 2000 });
  }
  if (kind === 'redis') {
    const { RedisStore } = require('connect-redis');
    const client = require('redis').createClient({ url: `redis://${at}` });
    client.on('error', () => {});
    await client.connect();
    return new RedisStore({ client });
  }
  return new session.MemoryStore();
}

function loggedIn(request, response, next) {
  if (request.session.user) next();
  else response.status(401).json({ error: 'no session' });
}

async function main() {
  const app = express();
  app.disable('x-powered-by');
  app.use((request, response, next) => {
    response.set('X-App', name);
    next();
  });
  app.get('/whoami', (request, response) => response.json({ server: name }));
  app.use(express.urlencoded({ extended: false }));
  app.use(session({ name: 'sid', secret: 'one secret for all servers', resave: false, saveUninitialized: false, store: await store() }));

  app.post('/login', (request, response, next) => {
    request.session.regenerate((error) => {
      if (error) return next(error);
      Object.assign(request.session, { user: request.body.user, cart: [] });
      response.json({ user: request.session.user });
    });
  });
  app.get('/code', loggedIn, (request, response) => {
    request.session.code = String(randomInt(1000, 10000));
    response.json({ code: request.session.code });
  });
  app.post('/code', loggedIn, (request, response) => {
    const right = request.session.code === request.body.code;
    delete request.session.code;
    if (right) response.json({ right });
    else response.status(403).json({ error: 'wrong code' });
  });
  app.post('/cart', loggedIn, (request, response) => {
    request.session.cart.push(request.body.item);
    response.json({ count: request.session.cart.length });
  });
  app.get('/cart', loggedIn, (request, response) => {
    response.json({ user: request.session.user, items: request.session.cart });
  });
  app.use((error, request, response, next) => {
    console.error(error);
    response.status(500).json({ error: 'the session store is away' });
  });
  const server = app.listen(Number(port), '127.0.0.1');
  server.keepAliveTimeout = 60000;
}

main();
