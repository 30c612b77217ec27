// SPDX-License-Identifier: BSD-2-Clause
// A small curve of a figure over time.

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 240, HEIGHT = 48, EDGE = 2;
const FEW = 30; // fewer values do not fill the width

function svg(tag, attributes) {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes))
        node.setAttribute(name, value);
    return node;
}

export class Sparkline {
    #most;
    #line = svg('polyline', {class: 'curve'});
    #area = svg('polygon', {class: 'area'});

    // At most so many values.
    constructor(most) {
        this.#most = most;
        this.node = svg('svg', {class: 'sparkline', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img'});
        this.node.append(this.#area, this.#line);
    }

    // values: the newest last; it stands at the right edge. label: what a screen reader says.
    show(values, label) {
        const top = Math.max(1, ...values);
        const across = Math.min(this.#most, Math.max(FEW, values.length)) - 1;
        const points = values.map((value, i) => {
            const x = WIDTH - (values.length - 1 - i) * WIDTH / across;
            return [x, HEIGHT - EDGE - (value ?? 0) / top * (HEIGHT - 2 * EDGE)];
        });
        const text = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
        this.#line.setAttribute('points', text);
        this.#area.setAttribute('points', points.length > 0 ? `${points[0][0].toFixed(1)},${HEIGHT} ${text} ${WIDTH},${HEIGHT}` : '');
        this.node.setAttribute('aria-label', label);
    }
}
