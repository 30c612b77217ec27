// SPDX-License-Identifier: BSD-2-Clause
// Blurhash: a picture in some thirty characters, by a few cosines in each direction (https://blurha.sh). It fills the room
// of a picture before that is there.

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~';

// NaN where a character is none of them.
function number(text) {
    let value = 0;
    for (const char of text) {
        const digit = DIGITS.indexOf(char);
        value = value * 83 + (digit < 0 ? NaN : digit);
    }
    return value;
}

function toLinear(byte) {
    const v = byte / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

function toByte(linear) {
    const v = Math.max(0, Math.min(1, linear));
    return Math.round((v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055) * 255);
}

const signedSquare = (v) => Math.sign(v) * v * v;

// {columns, rows, colours: [[r, g, b]]}, linear; null for what is no blurhash. It comes from a sender.
function parse(hash) {
    if (typeof hash !== 'string' || hash.length < 6)
        return null;
    const size = number(hash[0]), columns = size % 9 + 1, rows = Math.floor(size / 9) + 1;
    if (!(size < 81) || hash.length !== 4 + 2 * columns * rows)
        return null;
    const scale = (number(hash[1]) + 1) / 166, first = number(hash.slice(2, 6));
    const colours = [[first >> 16 & 255, first >> 8 & 255, first & 255].map(toLinear)];
    for (let i = 6; i < hash.length; i += 2) {
        const value = number(hash.slice(i, i + 2));
        colours.push([Math.floor(value / 361), Math.floor(value / 19) % 19, value % 19].map((v) => signedSquare((v - 9) / 9) * scale));
    }
    return colours.every((c) => c.every(Number.isFinite)) && Number.isFinite(first) ? {columns, rows, colours} : null;
}

// The pixels, RGBA; null for what is no blurhash.
export function blurhashPixels(hash, width, height) {
    const parsed = parse(hash);
    if (parsed === null)
        return null;
    const {columns, rows, colours} = parsed;
    const pixels = new Uint8ClampedArray(width * height * 4);
    for (let y = 0, at = 0; y < height; y++) {
        for (let x = 0; x < width; x++, at += 4) {
            const sum = [0, 0, 0];
            for (let j = 0; j < rows; j++) {
                for (let i = 0; i < columns; i++) {
                    const basis = Math.cos(Math.PI * x * i / width) * Math.cos(Math.PI * y * j / height);
                    colours[j * columns + i].forEach((v, k) => {
                        sum[k] += v * basis;
                    });
                }
            }
            pixels.set(sum.map(toByte), at);
            pixels[at + 3] = 255;
        }
    }
    return pixels;
}
