// A picture of sizes: rectangles whose areas are in proportion to bytes ("squarified" treemap).

// items: [{value}], largest first. Returns their rectangles [{x, y, width, height, item}].
export function layOut(items, width, height) {
  const total = items.reduce((sum, item) => sum + item.value, 0);
  const boxes = [];
  let [left, top, wide, high] = [0, 0, width, height];
  const scale = total > 0 ? (width * height) / total : 0;
  let rest = items.filter((item) => item.value > 0);
  while (rest.length > 0) {
    const side = Math.min(wide, high);
    const count = rowLength(rest, side, scale);
    const row = rest.slice(0, count);
    rest = rest.slice(count);
    const area = row.reduce((sum, item) => sum + item.value, 0) * scale;
    const thick = side > 0 ? area / side : 0;
    let at = 0;
    for (const item of row) {
      const long = thick > 0 ? (item.value * scale) / thick : 0;
      boxes.push(wide >= high
        ? { x: left, y: top + at, width: thick, height: long, item }
        : { x: left + at, y: top, width: long, height: thick, item });
      at += long;
    }
    if (wide >= high) [left, wide] = [left + thick, wide - thick];
    else [top, high] = [top + thick, high - thick];
  }
  return boxes;
}

// The worst ratio of a row's sides.
function worst(sum, least, most, side, scale) {
  const area = sum * scale;
  return Math.max((side * side * most * scale) / (area * area),
    (area * area) / (side * side * least * scale));
}

// How many items make the next row: as many as keep it close to squares.
function rowLength(items, side, scale) {
  let sum = 0;
  let before = Infinity;
  for (let at = 0; at < items.length; at += 1) {
    sum += items[at].value;
    const ratio = worst(sum, items[at].value, items[0].value, side, scale);
    if (ratio > before) return at;
    before = ratio;
  }
  return items.length;
}
