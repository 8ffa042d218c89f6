// A yardstick of `make bench-mcp`: the catalog's two tools with the official TypeScript SDK, as its
// documents start a server without sessions; one process for each core.
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { localhostHostValidation, localhostOriginValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const { BENCH_CATALOG, BENCH_PORT, BENCH_PROCESSES } = process.env;

if (cluster.isPrimary) {
    for (let started = 0; started < Number(BENCH_PROCESSES); started++) cluster.fork();
} else {
    serve(new Map(JSON.parse(readFileSync(BENCH_CATALOG, 'utf8')).map((product) => [product.id, product])));
}

function serve(products) {
    const handler = toNodeHandler(createMcpHandler(() => server(products)));
    const validateHost = localhostHostValidation();
    const validateOrigin = localhostOriginValidation();
    createServer((request, response) => {
        if (!validateHost(request, response) || !validateOrigin(request, response)) return;
        handler(request, response);
    }).listen(Number(BENCH_PORT), '127.0.0.1');
}

function server(products) {
    const made = new McpServer({ name: 'yardstick', version: '1.0.0' });
    made.registerTool(
        'search_catalog',
        {
            description: 'Finds products by words.',
            inputSchema: z.object({ query: z.string().max(300), limit: z.number().int().min(1).max(10).default(5) }),
        },
        ({ query, limit }) => answer({ products: find(products, query, limit) }),
    );
    made.registerTool(
        'get_product',
        { description: 'Everything about one product.', inputSchema: z.object({ id: z.string().min(1).max(60) }) },
        ({ id }) => {
            const product = products.get(id);
            return product ? answer({ product }) : { isError: true, content: [{ type: 'text', text: 'No such product.' }] };
        },
    );
    return made;
}

function find(products, query, limit) {
    const words = query.toLowerCase().split(/\s+/);
    const found = [];
    for (const product of products.values()) {
        const text = `${product.title} ${product.description}`.toLowerCase();
        if (words.some((word) => text.includes(word))) found.push(product);
        if (found.length === limit) break;
    }
    return found;
}

function answer(value) {
    return { structuredContent: value, content: [{ type: 'text', text: JSON.stringify(value) }] };
}
