// A server of npm's `ws`, which also serves the page for a browser.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { WebSocketServer } = require('ws');

const held = new Map(); // by token: a response that ends when its page has its results
const closed = new Map(); // by token: how its connection ended

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const token = url.searchParams.get('token');
  if (url.pathname.endsWith('/page')) {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(fs.readFileSync(path.join(__dirname, 'page.html')));
  } else if (url.pathname.endsWith('/hold')) {
    held.set(token, response); // keeps the page loading
  } else if (url.pathname.endsWith('/done')) {
    held.get(token)?.end();
    response.end();
  } else {
    response.writeHead(404).end();
  }
});

const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, maxPayload: 16 << 20 });
sockets.on('connection', (socket, request) => {
  const token = new URL(request.url, 'http://localhost').searchParams.get('token');
  socket.on('close', (code, reason) => closed.set(token, `${code} ${reason}`));
  socket.on('error', () => {});
  socket.on('message', (data, isBinary) => {
    const text = isBinary ? '' : data.toString();
    const [word, ...rest] = text.split(' ');
    if (word === '/close') socket.close(Number(rest[0]), rest.slice(1).join(' '));
    else if (word === '/fragments') fragments(socket);
    else if (word === '/ping') ping(socket, rest[0]);
    else if (word === '/closed') socket.send(closed.get(rest[0]) ?? 'open');
    else if (word === '/head') socket.send(JSON.stringify({ host: request.headers.host, origin: request.headers.origin, extensions: socket.extensions }));
    else socket.send(data, { binary: isBinary });
  });
});

function ping(socket, payload) {
  const answered = (data) => {
    if (data.toString() !== payload) return;
    socket.off('pong', answered);
    socket.send('pong ' + payload);
  };
  socket.on('pong', answered);
  socket.ping(payload);
}

function fragments(socket) {
  socket.send('one ', { fin: false });
  socket.ping('between');
  socket.send('two ', { fin: false });
  socket.send('three', { fin: true });
}

server.listen(Number(process.argv[2]), '127.0.0.1');
