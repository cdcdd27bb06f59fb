// Send a message with nodemailer, which builds it.
// usage: send.js PORT IMPLICIT CA-FILE PASSWORD SENDER FILE SUBJECT TEXT TO CC BCC
const fs = require('fs');
const nodemailer = require('nodemailer');

const [port, implicit, ca, password, sender, file, subject, text, to, cc, bcc] =
    process.argv.slice(2);
const transport = nodemailer.createTransport({
    host: 'localhost',
    port: Number(port),
    secure: implicit === '1',
    requireTLS: true,
    tls: {ca: fs.readFileSync(ca)},
    auth: {user: 'demo', pass: password},
});
transport.sendMail({
    from: {name: 'Bestellungen Köln', address: sender},
    to, cc, bcc, subject, text,
    attachments: [{path: file}],
}).catch((error) => {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = 1;
});
