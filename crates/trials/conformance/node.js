// Logs request id, method, target, status, and bytes of the body.
const fs = require('fs');
const http = require('http');
const [port, directory] = process.argv.slice(2);
const log = fs.openSync(directory + '/seen.log', 'a');
const seen = (...values) => fs.writeSync(log, values.join('\t') + '\n');

const server = http.createServer({ maxHeaderSize: 128 * 1024 }, (request, response) => {
    let bytes = 0;
    request.on('data', (data) => { bytes += data.length; });
    request.on('end', () => {
        seen(request.headers['x-request-id'], request.method, request.url, 200, bytes);
        response.setHeader('X-Seen', request.headers['x-request-id'] || '');
        response.end('seen\n');
    });
});
server.on('clientError', (error, socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
});
server.listen(Number(port), '127.0.0.1');
