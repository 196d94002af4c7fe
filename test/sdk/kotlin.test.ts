import { testSdk } from "./tour.ts";

testSdk("kotlin");
