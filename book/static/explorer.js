// Plays an explorer's pictures, which book/pictures.py computed: sliders, buttons and keys, with no
// Python and no request. A page holds <div class="gx" data-explorer="kl"> with a still picture in
// it; the data is loaded when that comes near the screen, and takes its place.
"use strict";

globalThis.genlibBook = globalThis.genlibBook || {};

(() => {
  const book = globalThis.genlibBook;
  // Pages name the folder themselves where it is not beside this script.
  const here = document.currentScript.src.replace(/[^/]*$/, "");
  const waiting = {}; // by name: places on this page
  const known = {};

  // Every data file calls this. (A page opened from disk may load scripts, but fetch nothing.)
  book.explorer = (name, data) => {
    known[name] = data;
    for (const place of waiting[name] || []) play(place, data);
    delete waiting[name];
  };

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };

  const load = (place) => {
    const name = place.dataset.explorer;
    if (known[name]) return play(place, known[name]);
    if (waiting[name]) return waiting[name].push(place);
    waiting[name] = [place];
    const script = make("script", { src: `${here}explorers/${name}.js` });
    script.onerror = () => place.classList.add("gx-missing");
    document.head.append(script);
  };

  const play = (place, data) => {
    const { controls, points } = data;
    const state = { at: data.start };
    const inputs = [];
    const canvas = make("canvas", { role: "img", "aria-label": data.alt });
    [canvas.width, canvas.height] = data.size;
    const ink = canvas.getContext("2d");
    const numbers = make("div", { class: "gx-numbers", role: "status", "aria-live": "polite" });
    const note = make("div", { class: "gx-note", role: "status", "aria-live": "polite" });

    // Pictures are decoded when first shown; a later wish overtakes an earlier one.
    const decoded = new Map();
    const picture = (text) => {
      if (!decoded.has(text)) {
        const image = new Image();
        image.src = "data:image/webp;base64," + text;
        decoded.set(text, image.decode().then(() => image));
        if (decoded.size > 40) decoded.delete(decoded.keys().next().value);
      }
      return decoded.get(text);
    };
    const first = picture(data.first);
    decoded.clear();
    let wish = 0;
    const draw = async (point) => {
      const mine = ++wish;
      const [, , index, x, y] = point;
      place.dataset.wanted = point[0].join(",");
      const [whole, part] = await Promise.all([first, index < 0 ? null : picture(data.pictures[index])]);
      if (mine !== wish) return;
      ink.drawImage(whole, 0, 0);
      if (part) ink.drawImage(part, x, y);
      place.dataset.shown = point[0].join(",");
    };

    const text = (i, level) => controls[i].levels[level];
    const line = () =>
      controls.map((one, i) => {
        const value = text(i, state.at[i]);
        return `${one.name}=${/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value}'`}`;
      }).join(" ");

    // The computed point nearest to a wish. What the learner moves must move, and the way it was
    // moved; buttons stay as they are, then the other sliders, as far as pictures allow.
    const nearest = (wanted, moved) => {
      const cost = (at) => {
        let sum = 0;
        for (let i = 0; i < at.length; i++) {
          if (at[i] === wanted[i]) continue;
          const away = Math.abs(at[i] - wanted[i]) / (controls[i].levels.length - 1);
          if (i === moved) {
            const way = (wanted[i] - state.at[i]) * (at[i] - state.at[i]);
            sum += controls[i].kind === "slider" && way > 0 ? away : 1000;
          } else sum += controls[i].kind === "slider" ? 3 * away + 0.2 : 10;
        }
        return sum;
      };
      let best = null, least = Infinity;
      for (const point of points) {
        const its = cost(point[0]);
        if (its < least) [best, least] = [point, its];
      }
      return best;
    };

    const show = (wanted, moved = -1) => {
      const point = nearest(wanted, moved);
      const before = state.at;
      state.at = point[0];
      inputs.forEach((set, i) => set(state.at[i]));
      numbers.replaceChildren(
        ...point[1].reduce((pairs, at, k) => {
          if (k % 2) pairs[pairs.length - 1].append(make("b", {}, data.texts[at]));
          else pairs.push(make("span", {}, data.texts[at] ? data.texts[at] + " " : ""));
          return pairs;
        }, [])
      );
      const others = controls.filter((_, i) => i !== moved && moved >= 0 && state.at[i] !== before[i]);
      note.textContent = others.length
        ? `Not every combination was computed for this page: ${others.map((one) => one.label).join(", ")} ` +
          `moved too, to the nearest that was. Run the lecture in Colab or at home for the rest.`
        : "";
      settings.value = line();
      settings.setCustomValidity("");
      draw(point);
    };

    const row = make("div", { class: "gx-controls" });
    controls.forEach((one, i) => {
      const last = one.levels.length - 1;
      const go = (level) => show(state.at.map((old, k) => (k === i ? level : old)), i);
      if (one.kind === "slider") {
        const input = make("input", { type: "range", min: 0, max: last, step: 1, "data-control": one.name });
        const value = make("output");
        input.addEventListener("input", () => go(Number(input.value)));
        row.append(make("label", { class: "gx-slider" }, make("span", {}, one.label), input, value));
        inputs.push((level) => {
          input.value = level;
          input.setAttribute("aria-valuetext", text(i, level));
          value.textContent = text(i, level);
        });
      } else if (one.kind === "check") {
        const input = make("input", { type: "checkbox", "data-control": one.name });
        input.addEventListener("change", () => go(Number(input.checked)));
        row.append(make("label", { class: "gx-check" }, input, make("span", {}, one.label)));
        inputs.push((level) => { input.checked = level === 1; });
      } else if (one.kind === "list") {
        const input = make("select", { "data-control": one.name });
        input.append(...one.levels.map((name, level) => make("option", { value: level }, name)));
        input.addEventListener("change", () => go(Number(input.value)));
        row.append(make("label", { class: "gx-list" }, make("span", {}, one.label), input));
        inputs.push((level) => { input.value = level; });
      } else {
        const buttons = one.levels.map((name, level) => {
          const button = make("button", { type: "button" }, name);
          button.addEventListener("click", () => level !== state.at[i] && go(level));
          return button;
        });
        const group = make("div", { class: "gx-buttons", role: "group", "aria-label": one.label, "data-control": one.name });
        group.append(make("span", {}, one.label), ...buttons);
        row.append(group);
        inputs.push((level) => buttons.forEach((b, k) => b.setAttribute("aria-pressed", k === level)));
      }
    });

    const shows = make("div", { class: "gx-shows" });
    data.shows.forEach((states, k) => {
      if (!states.length) return;
      let next = 0;
      const label = () => `Show ${k + 1}` + (states.length > 1 ? ` (${next}/${states.length})` : "");
      const button = make("button", { type: "button", title: `Set the controls to what answer ${k + 1} describes` }, label());
      button.addEventListener("click", () => {
        show(states[next % states.length]);
        next = (next % states.length) + 1;
        button.textContent = label();
      });
      shows.append(button);
    });

    const settings = make("input", { type: "text", "aria-label": "Settings", spellcheck: "false" });
    settings.addEventListener("change", () => {
      const wanted = [...state.at];
      for (const [, name, quoted, bare] of settings.value.matchAll(/(\w+)=(?:'([^']*)'|(\S+))/g)) {
        const i = controls.findIndex((one) => one.name === name);
        const value = quoted ?? bare;
        const level = i < 0 ? -1 : closest(controls[i], value);
        if (level < 0) {
          settings.setCustomValidity(i < 0 ? `${name} is no control` : `${name} must be one of ${controls[i].levels.join(", ")}`);
          settings.reportValidity();
          return;
        }
        wanted[i] = level;
      }
      show(wanted);
    });
    const reset = make("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => show(data.start));
    const last = make("div", { class: "gx-last" }, make("label", {}, "Settings ", settings), reset);

    place.replaceChildren(make("div", { class: "gx-title" }, data.title), row, shows, canvas, numbers, note, last);
    place.classList.add("gx-live");
    show(data.start);
  };

  // The level whose text, or number, is nearest; -1 if there is none.
  const closest = (control, value) => {
    const exact = control.levels.indexOf(value);
    if (exact >= 0 || control.kind !== "slider" || value === "" || isNaN(value)) return exact;
    const away = control.levels.map((level) => Math.abs(level - value));
    return away.indexOf(Math.min(...away));
  };

  const begin = () => {
    const places = [...document.querySelectorAll(".gx[data-explorer]")];
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        load(entry.target);
      }
    }, { rootMargin: "800px" });
    places.forEach((place) => seen.observe(place));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
